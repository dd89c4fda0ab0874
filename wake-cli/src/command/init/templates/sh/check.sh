#!/bin/sh
set -eu
said=$(./hello)
[ "$said" = 'Hello from NAME.' ] || { echo "it says: $said" >&2; exit 1; }
