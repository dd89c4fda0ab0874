#!/bin/sh
# archive.sh OUT.a OBJECTS...
set -eu
exec ar rcsD "$@"
