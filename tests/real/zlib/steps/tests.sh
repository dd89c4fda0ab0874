#!/bin/sh
# tests.sh EXAMPLE MINIGZIP: writes report.txt.
set -eu
"$1" "$(mktemp)" >report.txt
echo hello world | "$2" | "$2" -d >>report.txt
seq 1 100000 >numbers
"$2" <numbers >numbers.gz
"$2" -d <numbers.gz | cmp - numbers
echo "numbers: $(wc -c <numbers) bytes packed into $(wc -c <numbers.gz)" >>report.txt
