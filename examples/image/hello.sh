#!/bin/sh
# Greets $WHO, which the image or its user sets.
echo "$(cat /usr/share/greeting.txt), $WHO!"
