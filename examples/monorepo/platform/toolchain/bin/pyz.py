#!/usr/bin/env python3
"""pyz.py OUT DIR...: packs the files below the directories into one program that Python runs.

The archive depends on the names and the bytes of the files alone: sorted, and all of one date.
"""
import os
import sys
import zipfile

out, *roots = sys.argv[1:]
found = {}
for root in roots:
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = path

os.makedirs(os.path.dirname(out), exist_ok=True)
with open(out, "wb") as file:
    file.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(found):
            with open(found[name], "rb") as source:
                archive.writestr(zipfile.ZipInfo(name), source.read())
os.chmod(out, 0o755)
