#!/bin/sh
# lib.sh OUT.a FLAGS... SOURCES.c...: compiles every source with the flags and archives the objects.
set -eu
out=$1
shift
mkdir -p "$(dirname "$out")"
objects=$(mktemp -d)

for argument; do
    shift
    case $argument in
        *.c) printf '%s\n' "$argument" >>"$objects/sources" ;;
        *) set -- "$@" "$argument" ;;
    esac
done
while read -r source; do
    cc "$@" -c "$source" -o "$objects/$(basename "$source" .c).o"
done <"$objects/sources"

# `D` leaves out times and owners, so that equal objects give equal bytes.
ar rcsD "$out" "$objects"/*.o
