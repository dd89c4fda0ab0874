"""wheels.py LOCK OUT WHEEL...: unpacks the wheels that LOCK names, checked by hash, into the directory OUT.

LOCK has pip's format: `name==version --hash=sha256:...`, with one hash for each file of that version.
"""
import hashlib
import os
import re
import shutil
import sys
import zipfile


def fail(message, remedy):
    sys.exit(f"wheels.py: {message}\n  {remedy}")


def entries(lock):
    """Name, version and hashes of each line."""
    with open(lock, encoding="utf-8") as file:
        text = re.sub(r"\\\n", " ", file.read())
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if not line or line.startswith("--"):
            continue
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*==\s*([^\s;]+)", line)
        if not match:
            fail(f"{lock}:{number}: `{line}` names no version", "write `name==version --hash=sha256:...`")
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        if not hashes:
            fail(f"{lock}:{number}: `{match[1]}` has no hash", "generate the file with `pip-compile --generate-hashes` or `uv export`")
        yield match[1], match[2], hashes


def place(name):
    """The path that a file of a wheel is unpacked to, or None if it is left out."""
    parts = name.split("/")
    if parts[0].endswith(".data") and len(parts) > 2:
        if parts[1] in ("purelib", "platlib"):
            return "/".join(parts[2:])
        return None
    return name


def unpack(wheel, out):
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = place(info.filename)
            if info.is_dir() or name is None:
                continue
            path = os.path.join(out, name)
            if name.startswith("/") or ".." in name.split("/"):
                fail(f"{wheel}: `{info.filename}` is outside the target directory", "do not trust this wheel")
            if os.path.lexists(path):
                fail(f"{wheel}: `{name}` already exists", "two distributions have this file; remove one of them from the lock file")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target)
            if info.external_attr >> 16 & 0o100:
                os.chmod(path, 0o755)


def main():
    lock, out, *wheels = sys.argv[1:]
    found = {}
    for wheel in wheels:
        with open(wheel, "rb") as file:
            found[hashlib.sha256(file.read()).hexdigest()] = wheel
    os.mkdir(out)
    for name, version, hashes in entries(lock):
        wheel = next((found[digest] for digest in hashes if digest in found), None)
        if wheel is None:
            fail(
                f"{lock}: no wheel has a hash of `{name}=={version}`",
                f"fetch missing files with `pip download --no-deps --require-hashes -r {lock} -d DIRECTORY`",
            )
        unpack(wheel, out)


main()
