#!/bin/sh
# table.sh LETTERS: leaves vowels.c, with the letters of that file.
set -eu
printf 'const char vowels[] = "%s";\n' "$(tr -d '\n' <"$1")" >vowels.c
