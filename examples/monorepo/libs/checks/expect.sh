#!/bin/sh
# expect.sh REPORT EXPECTED PROGRAM ARGS...: runs the program with empty standard input, and fails
# with a diff unless its output equals the file EXPECTED.
set -eu
report=$1
expected=$2
shift 2
actual=$(mktemp)
"$@" >"$actual" </dev/null
diff -u "$expected" "$actual" >&2
mkdir -p "$(dirname "$report")"
echo "ok: $(basename "$1") $(wc -l <"$expected") lines as expected" >"$report"
