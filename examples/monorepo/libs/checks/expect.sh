#!/bin/sh
# expect.sh REPORT EXPECTED PROGRAM ARGS...: runs the program with its own standard input empty, and fails
# with the difference unless it says exactly what the file EXPECTED holds.
set -eu
report=$1
expected=$2
shift 2
actual=$(mktemp)
"$@" >"$actual" </dev/null
diff -u "$expected" "$actual" >&2
mkdir -p "$(dirname "$report")"
echo "ok: $(basename "$1") $(wc -l <"$expected") lines as expected" >"$report"
