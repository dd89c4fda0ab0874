#!/bin/sh
# link.sh OUT ARGS...
set -eu
out=$1
shift
mkdir -p "$(dirname "$out")"
exec cc -Wl,-E -o "$out" "$@"
