#!/bin/sh
# link.sh OUT ARGS...
set -eu
out=$1
shift
exec cc -o "$out" "$@"
