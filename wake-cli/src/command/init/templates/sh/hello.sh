#!/bin/sh
# Sees only what the package file names, and must leave what it promises: ./hello
set -eu
cat >hello <<EOF
#!/bin/sh
echo "$(cat words.txt) $1."
EOF
chmod +x hello
