#!/bin/sh
# Greets whom the image, or who runs it, names.
echo "$(cat /usr/share/greeting.txt), $WHO!"
