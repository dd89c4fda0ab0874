#!/bin/sh
# compile.sh OUT.o ARGS...
set -eu
out=$1
shift
exec cc "$@" -c -o "$out"
