#!/bin/sh
# fetch.sh DIR PACKAGE...: unpacks the source of Debian packages below DIR, as DIR/PACKAGE.
#
# Works with an apt configuration of its own, derived from the machine's: the same archives and keys,
# asked for sources instead of programs. Nothing outside of DIR is written.
set -eu
dir=$1
shift
apt=$dir/apt
mkdir -p "$apt/sources.list.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/empty"
touch "$apt/sources.list" "$apt/status"

if [ -f /etc/apt/sources.list ]; then
    sed -n 's/^deb[[:space:]]/deb-src /p' /etc/apt/sources.list >"$apt/sources.list"
fi
for list in /etc/apt/sources.list.d/*.list; do
    [ -f "$list" ] || continue
    sed -n 's/^deb[[:space:]]/deb-src /p' "$list" >"$apt/sources.list.d/$(basename "$list")"
done
for sources in /etc/apt/sources.list.d/*.sources; do
    [ -f "$sources" ] || continue
    sed 's/^Types:.*/Types: deb-src/' "$sources" >"$apt/sources.list.d/$(basename "$sources")"
done

get() {
    apt-get -qq \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/sources.list.d" \
        -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 \
        -o Acquire::Languages=none "$@"
}

get update
for package; do
    mkdir -p "$dir/unpack-$package"
    (cd "$dir/unpack-$package" && get source "$package")
    mv "$dir/unpack-$package"/*/ "$dir/$package"
done
