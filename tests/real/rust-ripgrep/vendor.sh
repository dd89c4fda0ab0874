#!/bin/sh
# vendor.sh: fetches the crates of Cargo.lock into vendor/, and copies the caller's toolchain to tools/rust.
set -eu
cargo vendor --quiet --versioned-dirs vendor >/dev/null
from=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
mkdir -p tools/rust/bin tools/rust/lib/rustlib
cp -a "$from/bin/rustc" tools/rust/bin
for library in "$from"/lib/librustc_driver-*.so "$from"/lib/libLLVM*.so*; do
    [ ! -e "$library" ] || cp -a "$library" tools/rust/lib
done
cp -a "$from/lib/rustlib/$host" tools/rust/lib/rustlib
