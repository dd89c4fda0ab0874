"""built.py OUT RUSTC ARGS...: compiles a crate with the options that its build script wrote to OUT."""
import json
import os
import sys

out, rustc, *args = sys.argv[1:]
with open(os.path.join(out, "asked.json"), encoding="utf-8") as file:
    asked = json.load(file)
os.execvpe(rustc, [rustc, *args, *asked["options"]], os.environ | asked["variables"])
