#!/bin/sh
# install.sh [file FROM TO | mode MODE TO | link TARGET TO]...: makes a tree at root/.
set -eu
mkdir root
while [ $# -gt 0 ]; do
    to=root/$3
    mkdir -p "$(dirname "$to")"
    case $1 in
    file)
        if [ -d "$2" ]; then
            mkdir -p "$to"
            cp -RP "$2/." "$to/"
        else
            cp -L "$2" "$to"
        fi
        ;;
    mode) chmod "$2" "$to" ;;
    link) ln -s "$2" "$to" ;;
    esac
    shift 3
done
