#!/bin/sh
# build.sh LIBRARY ROOT...: compiles main.c with the headers and libraries below the roots.
set -eu
library=$1
shift
flags=
for root in "$@"; do
    for include in "$root"/usr/include "$root"/usr/include/*-linux-gnu*; do
        [ -d "$include" ] && flags="$flags -I $include"
    done
    for lib in "$root"/usr/lib "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
        [ -d "$lib" ] && flags="$flags -L $lib"
    done
done
# Links the static library, so that the program runs without the shared one.
# shellcheck disable=SC2086
exec cc -O2 -Wall -o app main.c $flags "-l:lib$library.a"
