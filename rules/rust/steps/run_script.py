"""run_script.py HOW: runs the build script of a crate; keeps its output, and writes its requests to `asked.json`."""
import json
import os
import sys

import script

with open(sys.argv[1], encoding="utf-8") as file:
    how = json.load(file)
out = os.path.abspath(how["out"])
options, variables = script.run(
    script.path(how["script"]), os.environ["CARGO_PKG_NAME"], script.path(how["rustc"]), how["opt"], how["features"], out, ".", {},
)
with open(os.path.join(out, "asked.json"), "w", encoding="utf-8") as file:
    json.dump({"options": options, "variables": variables}, file, indent=1, sort_keys=True)
