#!/bin/sh
# rules.sh DIR: publishes the rule library to a registry in DIR; DIR/wake.toml is the wake.toml for packages that use it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/library"
dir=$(cd "$1" && pwd)
cp -r "$here/../../rules/." "$dir/library"
printf '[registries]\nrules = "file:%s/registry"\n\n[namespaces]\nwake = "rules"\n' "$dir" >"$dir/wake.toml"
cat "$dir/wake.toml" >>"$dir/library/wake.toml"
wake -C "$dir/library" publish rule sh cc python rust
