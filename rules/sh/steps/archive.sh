#!/bin/sh
# archive.sh OUT PREFIX [FROM TO]...: packs files and trees reproducibly: equal contents give equal bytes.
set -eu
out=$1
prefix=$2
shift 2
stage=$(mktemp -d)
top=$stage/${prefix:-.}
mkdir -p "$top"
while [ $# -gt 0 ]; do
    mkdir -p "$top/$(dirname "${2:-.}")"
    if [ -d "$1" ]; then
        mkdir -p "$top/$2"
        cp -RP "$1/." "$top/$2/"
    else
        cp -L "$1" "$top/$2"
    fi
    shift 2
done
mkdir -p "$(dirname "$out")"
chmod -R u=rwX,go=rX "$stage"
if [ "${out%.zip}" != "$out" ]; then
    exec python3 "$PACK" "$out" "$stage"
fi
packed=$(mktemp -d)
(cd "$stage" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | sed -z 's,^\./,,') >"$packed/names"
tar -C "$stage" --format=gnu --mtime=@0 --owner=0 --group=0 --numeric-owner --no-recursion --null \
    -cf "$packed/tar" -T "$packed/names"
case $out in
*.tar) cp "$packed/tar" "$out" ;;
*.tar.gz | *.tgz) gzip -9nc "$packed/tar" >"$out" ;;
*.tar.xz) xz -6 -T1 -c "$packed/tar" >"$out" ;;
*.tar.zst) zstd -q -19 -T1 -c "$packed/tar" >"$out" ;;
esac
