#!/bin/sh
# bundle.sh DIR OUT.tar SUMS: an archive of the directory with links followed, and the checksums of its files.
set -eu
dir=$1
archive=$2
sums=$3
find -L "$dir" -type f | LC_ALL=C sort | xargs sha256sum >"$sums"
tar --create --file "$archive" --dereference --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
    --mode=u+w,go=rX --directory "$dir" .
