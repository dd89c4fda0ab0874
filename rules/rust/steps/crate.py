"""crate.py PLAN HOW: compiles a vendored crate into lib/, and before that runs its build script."""
import json
import os
import subprocess
import sys

plan_path, how_path = sys.argv[1:]
with open(plan_path, encoding="utf-8") as file:
    plan = json.load(file)
with open(how_path, encoding="utf-8") as file:
    how = json.load(file)
rustc = os.path.abspath(how["rustc"]) if "/" in how["rustc"] else how["rustc"]


def said(*call):
    return subprocess.run([rustc, *call], check=True, capture_output=True, text=True).stdout.splitlines()


def options(externs):
    """How the libraries of `externs` are found."""
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


def build_env(out):
    host = next(line[6:] for line in said("-vV") if line.startswith("host: "))
    env = {
        "OUT_DIR": out, "TARGET": host, "HOST": host, "RUSTC": rustc, "NUM_JOBS": "1", "OPT_LEVEL": how["opt"],
        "DEBUG": "false", "PROFILE": "release", "RUSTC_LINKER": "cc",
    }
    values = {}
    for line in said("--print", "cfg"):
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value.strip('"'))
    for key, texts in values.items():
        env["CARGO_CFG_" + key.upper()] = ",".join(texts)
    for feature in plan["features"]:
        env["CARGO_FEATURE_" + feature.upper().replace("-", "_")] = "1"
    if plan["links"]:
        env["CARGO_MANIFEST_LINKS"] = plan["links"]
    return env


def built(env):
    """Options and variables that the build script asks for."""
    out = os.path.abspath("build-out")
    os.mkdir(out)
    script = os.path.abspath("build-script")
    compile_(plan["build"], "bin", "build_script_build", script, plan["build_externs"], [], env)
    ran = subprocess.run([script], check=False, cwd=how["dir"], env=os.environ | env | build_env(out), stdout=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        sys.stderr.write(ran.stdout)
        sys.exit(f"crate.py: the build script of {plan['name']} {plan['version']} failed: {ran.returncode}")
    rest, more = [], {"OUT_DIR": out}
    flags = {"rustc-cfg": "--cfg", "rustc-check-cfg": "--check-cfg", "rustc-link-lib": "-l", "rustc-link-search": "-L"}
    for line in ran.stdout.splitlines():
        if not line.startswith("cargo:"):
            continue
        key, _, value = line[6:].lstrip(":").partition("=")
        if key in flags:
            rest += [flags[key], value]
        elif key == "rustc-env":
            name, _, text = value.partition("=")
            more[name] = text
        elif key == "warning":
            print(f"{plan['name']}: {value}", file=sys.stderr)
    return rest, more


os.mkdir("lib")
# What no manifest wants on this machine is nothing; nobody is told to look for it.
if plan["used"]:
    env, rest = about(), []
    if plan["build"] is not None:
        rest, more = built(env)
        env |= more
    kind, end = ("proc-macro", "so") if plan["macro"] else ("rlib", "rlib")
    out = f"lib/lib{plan['crate']}-{plan['version']}.{end}"
    compile_(plan["root"], kind, plan["crate"], out, plan["externs"], [f"-Copt-level={how['opt']}", *rest], env)
