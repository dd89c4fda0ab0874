#!/bin/sh
# run.sh OUT PROGRAM ARGS...: saves the program's output, and also prints it.
set -eu
out=$1
shift
mkdir -p "$(dirname "$out")"
status=0
"$@" >"$out" 2>&1 || status=$?
cat "$out"
exit "$status"
