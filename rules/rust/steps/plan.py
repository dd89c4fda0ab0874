"""plan.py RUSTC LOCK MANIFEST VENDOR OUT [--features NAME...]: writes to OUT how each vendored crate of LOCK is compiled.

The features of a crate are the union of those that MANIFEST requests, in any of its tables, and those that other crates request.
With `--features`, MANIFEST's own features are only those listed; without, they are all of them, and all optional dependencies are
included. Tables for targets other than RUSTC's are ignored.
"""
import json
import os
import re
import subprocess
import sys
import tomllib


def fail(message, remedy):
    sys.exit(f"plan.py: {message}\n  {remedy}")


def read(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


class Cfg:
    """The configuration of a compiler's target, which decides whether a `cfg(…)` expression holds."""

    def __init__(self, rustc):
        said = subprocess.run([rustc, "--print", "cfg"], check=True, capture_output=True, text=True).stdout
        self.lines = set(said.splitlines())
        host = subprocess.run([rustc, "-vV"], check=True, capture_output=True, text=True).stdout
        self.target = re.search(r"^host: (.*)$", host, re.M)[1]

    def holds(self, text):
        if not text.startswith("cfg("):
            return text == self.target
        self.tokens = re.findall(r'[A-Za-z_][A-Za-z0-9_]*|"[^"]*"|[(),=]', text)
        self.at = 0
        return self.term()

    def next(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def term(self):
        name = self.next()
        if self.peek() == "(":
            self.next()
            terms = []
            while self.peek() not in (")", ""):
                terms.append(self.term())
                if self.peek() == ",":
                    self.next()
            self.next()
            return not terms[0] if name == "not" else any(terms) if name == "any" else all(terms)
        if self.peek() == "=":
            self.next()
            return f"{name}={self.next()}" in self.lines
        return name == "true" or name in self.lines


class Crate:
    """A package of the lock: its dependencies and the features requested of it."""

    def __init__(self, locked, manifest, directory, cfg):
        self.name, self.version = locked["name"], locked["version"]
        self.locked = [entry.split(" ") for entry in locked.get("dependencies", [])]
        self.manifest, self.directory = manifest, directory
        self.table = manifest.get("features", {})
        self.normal, self.build, self.dev = {}, {}, {}
        places = [manifest] + [table for text, table in manifest.get("target", {}).items() if cfg.holds(text)]
        for place in places:
            self.take(self.normal, place.get("dependencies", {}))
            self.take(self.build, place.get("build-dependencies", {}))
        self.used, self.features, self.optional = False, set(), set()
        self.asked, self.weak = {}, []

    @staticmethod
    def take(into, table):
        for key, value in table.items():
            into[key] = {"version": value} if isinstance(value, str) else value

    def uses(self):
        """The active dependencies: each key and its manifest entry."""
        for table in (self.normal, self.build, self.dev):
            for key, value in table.items():
                if not value.get("optional") or key in self.optional:
                    yield key, value

    def enable(self, feature):
        """Enables a feature and those that it implies; it may be the implicit feature of an optional dependency."""
        if feature in self.features:
            return
        if feature not in self.table:
            if any(feature in table for table in (self.normal, self.build)):
                self.features.add(feature)
                self.optional.add(feature)
            elif feature != "default":
                fail(f"{self.name} {self.version} has no feature `{feature}`", "find the manifest that requests it")
            return
        self.features.add(feature)
        for implied in self.table[feature]:
            if implied.startswith("dep:"):
                self.optional.add(implied[4:])
            elif "/" in implied:
                key, asked = implied.split("/", 1)
                if key.endswith("?"):
                    self.asked.setdefault(key[:-1], set()).add(asked)
                    continue
                self.asked.setdefault(key, set()).add(asked)
                for table in (self.normal, self.build):
                    if table.get(key, {}).get("optional"):
                        self.optional.add(key)
                        if key in self.table:
                            self.enable(key)
            else:
                self.enable(implied)

    def state(self):
        return (self.used, len(self.features), len(self.optional), sum(map(len, self.asked.values())))


def satisfies(version, requirement):
    """Whether a version meets a requirement, by its leading numbers; decides between two crates of one name."""
    numbers = re.findall(r"\d+", requirement.split(",")[0])
    parts = re.findall(r"\d+", version)
    fixed = next((i + 1 for i, number in enumerate(numbers) if number != "0"), len(numbers))
    return parts[:fixed] == numbers[:fixed]


def chosen(crate, key, value, crates):
    """The locked crate that a manifest's dependency refers to, or None if it is not vendored."""
    name = value.get("package", key)
    found = [entry for entry in crate.locked if entry[0] == name]
    all_of = [entry for entry in crates if entry[0] == name and any(len(e) == 1 or e[1] == entry[1] for e in found)]
    if len(all_of) > 1:
        all_of = [entry for entry in all_of if satisfies(entry[1], value.get("version", ""))]
    if len(all_of) > 1:
        fail(f"{crate.name} {crate.version}: `{key}` may be any of {all_of}", "make the requirement more exact")
    return all_of[0] if all_of else None


def ask(crate, crates):
    """Passes on what `crate` requests of its dependencies."""
    for key, value in crate.uses():
        entry = chosen(crate, key, value, crates)
        if entry is None:
            if "path" not in value:
                fail(f"the lock has no `{key}` for {crate.name} {crate.version}", "regenerate it with `cargo generate-lockfile`")
            continue
        other = crates[entry]
        other.used = True
        if value.get("default-features", value.get("default_features", True)):
            other.enable("default")
        for feature in list(value.get("features", [])) + sorted(crate.asked.get(key, [])):
            other.enable(feature)


def externs(crate, table, crates):
    found = {}
    for key, value in table.items():
        if not value.get("optional") or key in crate.optional:
            entry = chosen(crate, key, value, crates)
            if entry is not None:
                name = key.replace("-", "_") if "package" in value else None
                found["-".join(entry)] = name
    return found


def described(crate, crates):
    package, lib = crate.manifest["package"], crate.manifest.get("lib", {})
    build = package.get("build", os.path.exists(os.path.join(crate.directory, "build.rs")))
    return {
        "used": crate.used,
        "name": crate.name,
        "version": crate.version,
        "edition": lib.get("edition", package.get("edition", "2015")),
        "crate": lib.get("name", crate.name).replace("-", "_"),
        "root": lib.get("path", "src/lib.rs"),
        "macro": lib.get("proc-macro", lib.get("proc_macro", False)),
        "features": sorted(crate.features),
        "externs": externs(crate, crate.normal, crates),
        "build": None if build is False else "build.rs" if build is True else build,
        "build_externs": externs(crate, crate.build, crates),
        "links": package.get("links"),
        "about": {key: str(package[key]) for key in ("description", "homepage", "license", "repository") if key in package}
        | {"authors": ":".join(package.get("authors", []))},
    }


def main():
    rustc, lock, manifest, vendor, out, *features = sys.argv[1:]
    cfg, crates, roots = Cfg(rustc), {}, []
    own = read(manifest)
    for locked in read(lock)["package"]:
        if "source" not in locked:
            if locked["name"] == own.get("package", {}).get("name"):
                roots.append(locked)
            continue
        entry = (locked["name"], locked["version"])
        directory = os.path.join(vendor, "-".join(entry))
        crates[entry] = Crate(locked, read(os.path.join(directory, "Cargo.toml")), directory, cfg)
    if not roots:
        fail(f"the lock has no package `{own.get('package', {}).get('name')}`", f"use the lock that belongs to {manifest}")
    root = Crate(roots[0], own, ".", cfg)
    root.dev = {}
    Crate.take(root.dev, own.get("dev-dependencies", {}))
    for feature in features[1:] if features else root.table:
        root.enable(feature)
    if not features:
        root.optional.update(key for key, value in root.normal.items() if value.get("optional"))
    ask(root, crates)
    before = None
    while before != (before := [crate.state() for crate in crates.values()]):
        for crate in list(crates.values()):
            if crate.used:
                ask(crate, crates)
    os.mkdir(out)
    for entry, crate in crates.items():
        with open(os.path.join(out, "-".join(entry) + ".json"), "w", encoding="utf-8") as file:
            json.dump(described(crate, crates), file, indent=1, sort_keys=True)


main()
