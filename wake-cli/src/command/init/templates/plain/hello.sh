#!/bin/sh
# Sees only what the package declares, and must create what the module promises: ./out/hello
set -eu
mkdir -p out
cat > out/hello <<EOF
#!/bin/sh
echo "$1 from NAME."
EOF
chmod +x out/hello
