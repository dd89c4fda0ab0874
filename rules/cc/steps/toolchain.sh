#!/bin/sh
# toolchain.sh CC CXX AR: describes the tools in toolchain.json.
set -eu
where() {
    command -v "$1" || { echo "$0: no program \`$1\` in $PATH" >&2; exit 1; }
}
cc=$(where "$1")
ar=$(where "$3")
cxx=$(command -v "$2" || true)
cat >toolchain.json <<END
{
  "compiler": "$cc",
  "cxx": "$cxx",
  "ar": "$ar",
  "version": "$("$1" -dumpfullversion 2>/dev/null || "$1" -dumpversion)",
  "kind": "$("$1" --version | grep -q clang && echo clang || echo gcc)",
  "target": "$("$1" -dumpmachine)"
}
END
