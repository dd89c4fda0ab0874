#!/bin/sh
# run.sh OUT PROGRAM ARGS...: keeps what the program says, also on the screen of the build.
set -eu
out=$1
shift
mkdir -p "$(dirname "$out")"
status=0
"$@" >"$out" 2>&1 || status=$?
cat "$out"
exit "$status"
