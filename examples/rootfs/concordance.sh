#!/bin/sh
# Lists the words of some texts with how often they occur, and for each text the lines of its long words.
set -eu
least=$(tr -dc 0-9)

words() {
    awk -v least="$least" '{
        gsub(/[^A-Za-z]+/, " ")
        n = split(tolower($0), found, " ")
        for (i = 1; i <= n; i++) if (length(found[i]) >= least) print found[i], FNR
    }' "$@"
}

words "$@" | awk '{ count[$1]++ } END { for (word in count) print count[word], word }' |
    sort -k1,1nr -k2,2 > words.txt
mkdir lines
for text; do
    name=${text##*/}
    words "$text" | sort -u -k1,1 -k2,2n > "lines/$name"
done
