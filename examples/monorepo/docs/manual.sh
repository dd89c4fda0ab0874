#!/bin/sh
# manual.sh INTRO OUT PROGRAMS...: the introduction, then each program's usage text.
set -eu
intro=$1
out=$2
shift 2
{
    cat "$intro"
    for program; do
        echo
        "$program" 2>&1 || true
    done
} >"$out"
