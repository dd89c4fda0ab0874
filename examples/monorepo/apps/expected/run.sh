#!/bin/sh
# run.sh REPORT EXPECT: every case in turn; EXPECT is the script that compares.
set -eu
report=$1
expect=$2
one=$(mktemp)

check() {
    expected=$1
    shift
    "$expect" "$one" "expected/$expected" "$@"
    cat "$one" >>"$report"
}

check count.txt bin/count expected/poem.txt
check last.txt bin/last expected/poem.txt
check nearest.txt bin/nearest Vienna Oslo
