#!/bin/sh
set -eu
said=$("$1")
[ "$said" = 'Hello from NAME.' ] || { echo "it says: $said" >&2; exit 1; }
