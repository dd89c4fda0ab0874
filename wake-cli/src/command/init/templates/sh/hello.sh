#!/bin/sh
# Sees only what the package file names, and must leave what it promises: ./hello
set -eu
words=$(cat words.txt)
cat >hello <<EOF
#!/bin/sh
echo "$words $1."
EOF
chmod +x hello
