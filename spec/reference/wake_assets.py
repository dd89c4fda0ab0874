#!/usr/bin/env python3
"""The digests of genomes and assets, implemented from `spec/assets.md` alone.

    python3 spec/reference/wake_assets.py genome FASTA    the digest of a genome
    python3 spec/reference/wake_assets.py asset DIR       the digest by which refgenie identifies an asset

Standard library only. The tests compare wake's digests with these.
"""

import gzip
import hashlib
import os
import sys


def truncated(text):
    """T of the page: the first 24 bytes of the SHA-512."""
    return hashlib.sha512(text).digest()[:24].hex().encode()


def lines_of(path):
    with open(path, "rb") as file:
        data = file.read()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    # Text after the last line end is a line only if it is not empty.
    return lines if lines[-1] else lines[:-1]


def genome(path):
    """Sequences are pairs of a name and lines; one without lines counts only after one that has lines."""
    sequences = []
    name, sequence = None, []
    has_line = False
    for line in lines_of(path):
        if not line.startswith(b">"):
            name = b"" if name is None else name
            sequence.append(line)
            has_line = True
            continue
        if has_line:
            sequences.append((name, b"".join(sequence)))
        name, sequence = line.replace(b">", b""), []
    sequences.append((name, b"".join(sequence)))
    items = []
    for name, sequence in sequences:
        length = str(len(sequence.decode())).encode()
        items.append(truncated(b">".join((name, length, truncated(sequence)))))
    return truncated(b",".join(items)).decode()


def asset(top):
    named = []
    for folder, _, files in os.walk(os.fsencode(top)):
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, os.fsencode(top))
            if name.startswith(b"_refgenie_build") or os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as content:
                digest = hashlib.md5(content.read()).hexdigest().encode()
            shown = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
            named.append((shown, (b"\\" if shown != name else b"") + digest + b"\n"))
    return hashlib.md5(b"".join(line for _, line in sorted(named))).hexdigest()


if __name__ == "__main__":
    print({"genome": genome, "asset": asset}[sys.argv[1]](sys.argv[2]))
