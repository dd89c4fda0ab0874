#!/bin/sh
# cc.sh OUT ARGS...: compiles and links one program.
set -eu
out=$1
shift
mkdir -p "$(dirname "$out")"
exec cc "$@" -o "$out"
