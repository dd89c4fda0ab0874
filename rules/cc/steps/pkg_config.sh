#!/bin/sh
# pkg_config.sh PACKAGE...: leaves what pkg-config says of them, for the compiler to read.
set -eu
pkg-config --print-errors --cflags "$@" >cflags
pkg-config --libs "$@" >ldflags
