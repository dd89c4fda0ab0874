#!/bin/sh
# join.sh OUT FILES...: one file from many, in the order given.
set -eu
out=$1
shift
cat "$@" >"$out"
