#!/bin/sh
# Compiles and links the program; the arguments are those of the compiler.
set -eu
mkdir -p bin
cc "$@" -o bin/app
