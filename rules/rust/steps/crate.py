"""crate.py PLAN HOW: runs the build script of a vendored crate, then compiles the crate into lib/."""
import json
import os
import subprocess
import sys

import script

plan_path, how_path = sys.argv[1:]
with open(plan_path, encoding="utf-8") as file:
    plan = json.load(file)
with open(how_path, encoding="utf-8") as file:
    how = json.load(file)
rustc = script.path(how["rustc"])


def options(externs):
    """The compiler options that locate the libraries of `externs`."""
    found = [f"-Ldependency={path}" for path in how["below"]]
    for crate, alias in externs.items():
        (name,) = [name for name in os.listdir(how["libs"][crate]) if name.startswith("lib")]
        known = alias or name[3:].partition("-")[0]
        found.append(f"--extern={known}={os.path.join(how['libs'][crate], name)}")
    return found


def compile_(root, kind, crate, out, externs, rest, env):
    call = [
        rustc, os.path.join(how["dir"], root), f"--crate-name={crate}", f"--crate-type={kind}", f"--edition={plan['edition']}", "-o", out,
        f"-Cmetadata={plan['name']}-{plan['version']}", "-Ccodegen-units=1", "--remap-path-prefix=/work=.", "--cap-lints=allow",
        *(["--extern=proc_macro"] if kind == "proc-macro" else []),
        *(f'--cfg=feature="{feature}"' for feature in plan["features"]),
        *options(externs), *rest,
    ]
    ended = subprocess.run(call, check=False, env=os.environ | env).returncode
    if ended != 0:
        sys.exit(ended)


def about():
    numbers = plan["version"].split("+")[0].split("-", 1)
    major, minor, patch = numbers[0].split(".")
    env = {
        "CARGO_MANIFEST_DIR": os.path.abspath(how["dir"]),
        "CARGO_PKG_NAME": plan["name"],
        "CARGO_PKG_VERSION": plan["version"],
        "CARGO_PKG_VERSION_MAJOR": major,
        "CARGO_PKG_VERSION_MINOR": minor,
        "CARGO_PKG_VERSION_PATCH": patch,
        "CARGO_PKG_VERSION_PRE": numbers[1] if len(numbers) > 1 else "",
        "CARGO_CRATE_NAME": plan["crate"],
    }
    for key in ("authors", "description", "homepage", "license", "repository"):
        env[f"CARGO_PKG_{key.upper()}"] = plan["about"].get(key, "")
    return env


def built(env):
    """The options and variables that the build script requests."""
    out, program = os.path.abspath("build-out"), os.path.abspath("build-script")
    compile_(plan["build"], "bin", "build_script_build", program, plan["build_externs"], [], env)
    env = env | ({"CARGO_MANIFEST_LINKS": plan["links"]} if plan["links"] else {})
    return script.run(program, f"{plan['name']} {plan['version']}", rustc, how["opt"], plan["features"], out, how["dir"], env)


os.mkdir("lib")
# A crate that no manifest uses on this machine yields an empty lib/; no crate links it.
if plan["used"]:
    env, rest = about(), []
    if plan["build"] is not None:
        rest, more = built(env)
        env |= more
    kind, end = ("proc-macro", "so") if plan["macro"] else ("rlib", "rlib")
    out = f"lib/lib{plan['crate']}-{plan['version']}.{end}"
    compile_(plan["root"], kind, plan["crate"], out, plan["externs"], [f"-Copt-level={how['opt']}", *rest], env)
