#!/bin/sh
# beside.sh COUNT LIBRARY... COMMAND...: copies shared libraries into lib/, then links.
set -eu
count=$1
shift
mkdir -p lib
while [ "$count" -gt 0 ]; do
    cp "$1" lib/
    count=$((count - 1))
    shift
done
exec "$@"
