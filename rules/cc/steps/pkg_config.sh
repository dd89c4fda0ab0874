#!/bin/sh
# pkg_config.sh PACKAGE...: writes pkg-config's options for the packages to files that the compiler reads.
set -eu
pkg-config --print-errors --cflags "$@" >cflags
pkg-config --libs "$@" >ldflags
