#!/bin/sh
# Puts busybox and links for the named tools into a directory that is to be `/`.
set -eu
root=$1
shift

mkdir -p "$root/bin" "$root/etc"
cp /bin/busybox "$root/bin/busybox"
for tool; do
    ln -s busybox "$root/bin/$tool"
done
echo 'builder:x:1000:1000::/tmp/home:/bin/sh' > "$root/etc/passwd"
