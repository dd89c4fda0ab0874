"""Runs build scripts, as Cargo does."""
import os
import signal
import subprocess
import sys

FLAGS = {"rustc-cfg": "--cfg", "rustc-check-cfg": "--check-cfg", "rustc-link-lib": "-l", "rustc-link-search": "-L", "rustc-link-arg": "-Clink-arg="}


def path(program):
    """A program that can be started from another directory: an absolute path, or a name to search for."""
    return os.path.abspath(program) if "/" in program else program


def surroundings(rustc, opt, features, out):
    """The variables by which Cargo describes the compiler, the machine and the build to a script."""
    def said(*call):
        return subprocess.run([rustc, *call], check=True, capture_output=True, text=True).stdout.splitlines()

    host = next(line[6:] for line in said("-vV") if line.startswith("host: "))
    env = {
        "OUT_DIR": out, "TARGET": host, "HOST": host, "RUSTC": rustc, "NUM_JOBS": "1", "OPT_LEVEL": opt,
        "DEBUG": "false", "PROFILE": "release", "RUSTC_LINKER": "cc",
    }
    values = {}
    for line in said("--print", "cfg"):
        key, _, value = line.partition("=")
        values.setdefault(key, []).append(value.strip('"'))
    for key, texts in values.items():
        env["CARGO_CFG_" + key.upper()] = ",".join(texts)
    for feature in features:
        env["CARGO_FEATURE_" + feature.upper().replace("-", "_")] = "1"
    return env


def ending(code):
    """How a failed process ended; a negative code is the number of a signal."""
    if code >= 0:
        return f"failed with exit code {code}"
    name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
    return f"was killed by {name}"


def run(program, of, rustc, opt, features, out, directory, env):
    """Runs a script in `directory` and returns the options and variables that it requests. Its files go to `out`."""
    os.makedirs(out)
    env = os.environ | env | surroundings(rustc, opt, features, out)
    ran = subprocess.run([program], check=False, cwd=directory, env=env, stdout=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        sys.stderr.write(ran.stdout)
        sys.exit(f"the build script of {of} {ending(ran.returncode)}")
    options, variables = [], {"OUT_DIR": out}
    for line in ran.stdout.splitlines():
        if not line.startswith("cargo:"):
            continue
        key, _, value = line[6:].lstrip(":").partition("=")
        if key in FLAGS:
            options += [FLAGS[key] + value] if FLAGS[key].endswith("=") else [FLAGS[key], value]
        elif key == "rustc-env":
            name, _, text = value.partition("=")
            variables[name] = text
        elif key == "warning":
            print(f"{of}: {value}", file=sys.stderr)
    return options, variables
