#!/bin/sh
# ctest.sh REPORT ARGS...: compiles a test program with the arguments, runs it, and saves its output.
set -eu
report=$1
shift
program=$(mktemp)
cc "$@" -o "$program"
mkdir -p "$(dirname "$report")"
if "$program" >"$report" 2>&1; then
    cat "$report"
else
    cat "$report" >&2
    exit 1
fi
