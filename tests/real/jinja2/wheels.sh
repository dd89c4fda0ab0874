#!/bin/sh
# wheels.sh LOCK DIR: fetches the wheels of LOCK into DIR, for the Python in this machine's /usr/bin, and checks their hashes.
set -eu
lock=$1 dir=$2
version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
pip=$(command -v pip3 || command -v pip || true)
if [ -z "$pip" ]; then
    python3 -m venv "$dir/venv"
    pip=$dir/venv/bin/pip
fi
"$pip" download --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes --python-version "$version" --dest "$dir" \
    --requirement "$lock"
rm -rf "$dir/venv"
