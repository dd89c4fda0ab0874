#!/bin/sh
# fetch.sh DIR PACKAGE...: unpacks the source of Debian packages below DIR, as DIR/PACKAGE.
#
# Uses its own apt configuration, derived from the machine's: the same archives and keys, but for
# sources instead of programs. Writes nothing outside DIR.
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

with() {
    program=$1
    shift
    "$program" -qq \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/sources.list.d" \
        -o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 \
        -o Acquire::Languages=none "$@"
}

# An index may name an update that the archive does not have yet or has no longer; then the previous version is used.
unpack() {
    for version in $(with apt-cache showsrc --only-source "$1" | sed -n 's/^Version: //p' | sort -rVu); do
        rm -rf "$dir/unpack-$1"
        mkdir "$dir/unpack-$1"
        if (cd "$dir/unpack-$1" && with apt-get source "$1=$version"); then
            mv "$dir/unpack-$1"/*/ "$dir/$1"
            return
        fi
    done
    echo "fetch.sh: could not fetch any version of $1" >&2
    return 1
}

with apt-get update
for package; do
    unpack "$package"
done
