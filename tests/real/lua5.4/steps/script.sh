#!/bin/sh
# script.sh LUA LUAC REPORT: compiles the script, runs the bytecode and the source, and checks that they agree.
set -eu
"$2" -o sieve.luac steps/sieve.lua
"$1" sieve.luac >"$3"
"$1" steps/sieve.lua | cmp - "$3"
