#!/usr/bin/env python3
"""Packs the program and the content of the given directories into one file that Python runs."""

import sys
import zipfile
from pathlib import Path

files = {"__main__.py": Path("main.py")}
for directory in map(Path, sys.argv[1:]):
    files.update((str(path.relative_to(directory)), path) for path in directory.rglob("*") if path.is_file())

with open("app.pyz", "wb") as program:
    program.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(program, "w") as archive:
        for name, path in sorted(files.items()):
            # Without times, so that equal files give an equal program.
            archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
Path("app.pyz").chmod(0o755)
