#!/bin/sh
# table.sh LETTERS: writes vowels.c with the letters in the file LETTERS.
set -eu
printf 'const char vowels[] = "%s";\n' "$(tr -d '\n' <"$1")" >vowels.c
