#!/bin/sh
# count.sh DIR: the lines of each file below DIR, into counts.txt.
set -eu
wc -l "$1"/* | sed '$d; s,^ *,,' >counts.txt
test "$(wc -l <counts.txt)" -ge "${MIN:-1}"
