"""binary.py NAME INTERPRETER main|module WHAT ROOT [FROM TO]...: makes the program NAME, with its imports in lib/NAME."""
import os
import shutil
import sys

LAUNCHER = """#!/usr/bin/env {interpreter}
import os
import runpy
import sys

here = os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib", {name!r})
sys.dont_write_bytecode = True
sys.path[0:1] = [os.path.join(here, part) for part in {parts!r}]
if {kind!r} == "module":
    runpy.run_module({what!r}, run_name="__main__", alter_sys=True)
else:
    runpy.run_path(os.path.join(here, "own", {what!r}), run_name="__main__")
"""

name, interpreter, kind, what, root, *pairs = sys.argv[1:]
top = os.path.join("lib", name)
os.makedirs(os.path.join(top, "own", root), exist_ok=True)
parts = [os.path.normpath(os.path.join("own", root))]
for source, place in zip(pairs[::2], pairs[1::2]):
    to = os.path.join(top, place)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, to, symlinks=True)
        parts.append(place)
    else:
        shutil.copyfile(source, to)
        shutil.copymode(source, to)
with open(name, "w", encoding="utf-8") as file:
    file.write(LAUNCHER.format(interpreter=interpreter, name=name, parts=parts, kind=kind, what=what))
os.chmod(name, 0o755)
