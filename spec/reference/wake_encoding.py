#!/usr/bin/env python3
"""wake's canonical encoding, every digest, the lock and published packages, implemented from `spec/encoding.md`, `spec/lock.md`
and `spec/packages.md` alone.

    python3 spec/reference/wake_encoding.py check    recomputes every vector and reports differences
    python3 spec/reference/wake_encoding.py write    computes the results for the inputs in `spec/vectors/*.json`

Standard library only, including BLAKE3; speed does not matter here. To add a vector, write its inputs into the JSON file and
let `write` compute the rest; the Rust tests must then agree.
"""

import base64
import hashlib
import json
import pathlib
import re
import struct
import sys

# --- BLAKE3-256. Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn: BLAKE3, 2020, section 2.

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
QUARTERS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64
WORD = 0xFFFFFFFF


def compress(chain, block, counter, length, flags):
    """Returns eight words, the chaining value after one block of at most sixty-four bytes."""
    m = struct.unpack("<16I", block.ljust(64, b"\0"))
    v = [*chain, *IV[:4], counter & WORD, counter >> 32, length, flags]
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(QUARTERS):
            for word, left, right in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[a] = (v[a] + v[b] + word) & WORD
                v[d] = turn(v[d] ^ v[a], left)
                v[c] = (v[c] + v[d]) & WORD
                v[b] = turn(v[b] ^ v[c], right)
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def turn(word, bits):
    return (word >> bits | word << (32 - bits)) & WORD


def subtree(data, key, flags, first, root):
    """Returns the chaining value of the chunks in `data`, which are numbered from `first`."""
    if len(data) > 1024:
        chunks = (len(data) + 1023) // 1024
        left = 1024 << ((chunks - 1).bit_length() - 1)
        pair = [*subtree(data[:left], key, flags, first, 0),
                *subtree(data[left:], key, flags, first + left // 1024, 0)]
        return compress(key, struct.pack("<16I", *pair), 0, 64, flags | PARENT | root)
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    chain = key
    for i, block in enumerate(blocks):
        ends = (CHUNK_START if i == 0 else 0) | (CHUNK_END | root if i == len(blocks) - 1 else 0)
        chain = compress(chain, block, first, len(block), flags | ends)
    return chain


def blake3(data, context=None):
    """Returns the digest of `data`, in key-derivation mode if there is a context."""
    key, flags = IV, 0
    if context is not None:
        key, flags = subtree(context.encode(), IV, CONTEXT, 0, ROOT), MATERIAL
    return struct.pack("<8I", *subtree(data, key, flags, 0, ROOT))


# --- The encoding. In the vectors, a value is null, a Boolean, or an object with one key.

def encode(value):
    if value is None:
        return b"\0"
    if isinstance(value, bool):
        return b"\2" if value else b"\1"
    (kind, content), = value.items()
    if kind == "uint":
        return b"\3" + struct.pack("<Q", int(content))
    if kind == "text":
        return counted(4, content.encode())
    if kind == "bytes":
        return counted(5, bytes.fromhex(content))
    if kind == "digest":
        return b"\6" + bytes.fromhex(content)
    if kind == "list":
        return b"\7" + struct.pack("<Q", len(content)) + b"".join(map(encode, content))
    if kind == "record":
        pairs = (encode(text(name)) + encode(field) for name, field in content)
        return b"\10" + struct.pack("<Q", len(content)) + b"".join(pairs)
    raise ValueError(f"no kind of value: {kind}")


def counted(tag, data):
    return bytes([tag]) + struct.pack("<Q", len(data)) + data


def decode(data):
    """Returns the value that `data` encodes; raises `ValueError` if it does not encode exactly one."""
    value, rest = decode_one(data)
    if rest:
        raise ValueError("something follows the value")
    return value


def decode_one(data):
    tag, rest = take(data, 1)
    if tag in (b"\0", b"\1", b"\2"):
        return {b"\0": None, b"\1": False, b"\2": True}[tag], rest
    if tag == b"\6":
        content, rest = take(rest, 32)
        return digest(content.hex()), rest
    if tag not in (b"\3", b"\4", b"\5", b"\7", b"\10"):
        raise ValueError("no such tag")
    head, rest = take(rest, 8)
    count, = struct.unpack("<Q", head)
    if tag == b"\3":
        return {"uint": str(count)}, rest
    if tag in (b"\4", b"\5"):
        content, rest = take(rest, count)
        return (text(content.decode()) if tag == b"\4" else {"bytes": content.hex()}), rest
    values = []
    for _ in range(count if tag == b"\7" else 2 * count):
        value, rest = decode_one(rest)
        values.append(value)
    if tag == b"\7":
        return {"list": values}, rest
    if not all(isinstance(name, dict) and "text" in name for name in values[::2]):
        raise ValueError("a name in a record is no text")
    return {"record": [[name["text"], field] for name, field in zip(values[::2], values[1::2])]}, rest


def take(data, count):
    if count > len(data):
        raise ValueError("the bytes end too early")
    return data[:count], data[count:]


def text(content):
    return {"text": content}


def digest(content):
    return {"digest": content}


def many(*values):
    return {"list": list(values)}


def by_bytes(names):
    return sorted(names, key=str.encode)


def sealed(value, context):
    """The fields of a vector for a hashed thing."""
    data = encode(value)
    return {"encoded": data.hex(), "digest": blake3(data, context).hex()}


# --- Canonical JSON.

def canonical(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(float(value))
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return "{" + ",".join(quoted(key) + ":" + canonical(value[key]) for key in by_bytes(value)) + "}"


def quoted(content):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in content) + '"'


def number(double):
    if double == 0:
        return "0"
    sign = "-" if double < 0 else ""
    mantissa, _, exponent = repr(abs(double)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or 0)
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.strip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    rest = "." + digits[1:] if digits[1:] else ""
    return f"{sign}{digits[0]}{rest}e{point - 1:+}"


# --- The hashed things, one function per vector file: takes the inputs, returns the expectations.

def blob(case):
    data = bytes.fromhex(case["bytes"]) * case.get("times", 1)
    return {"digest": blake3(data, case.get("context")).hex()}


def value(case):
    encoded = encode(case["value"])
    assert decode(encoded) == case["value"], case["name"]
    return {"encoded": encoded.hex()}


def refused(case):
    try:
        decode(bytes.fromhex(case["encoded"]))
    except ValueError:
        return {"refused": True}
    return {"refused": False}


def json_value(case):
    content = canonical(json.loads(case["json"]))
    return {"canonical": content, "digest": blake3(content.encode(), "wake value v1").hex()}


def tree(case):
    """Every directory of a tree, from the deepest to the root, which is named `.`."""
    dirs = {".": {}}
    for path, node in case["nodes"].items():
        *above, name = path.split("/")
        here = "."
        for part in above:
            below = part if here == "." else f"{here}/{part}"
            dirs[here].setdefault(part, "dir")
            dirs.setdefault(below, {})
            here = below
        dirs[here][name] = node
        if node == "dir":
            dirs.setdefault(path, {})
    trees = {}
    for path in sorted(dirs, key=lambda path: (path == ".", -path.count("/"), path)):
        entries = []
        for name in by_bytes(dirs[path]):
            node = dirs[path][name]
            if node == "dir":
                below = name if path == "." else f"{path}/{name}"
                entries.append(many(text("dir"), text(name), digest(trees[below]["digest"])))
            elif "link" in node:
                entries.append(many(text("link"), text(name), text(node["link"])))
            else:
                content = digest(blake3(node["file"].encode()).hex())
                entries.append(many(text("file"), text(name), content, node["executable"]))
        trees[path] = sealed({"list": entries}, "wake tree v1")
    return {"trees": trees, "digest": trees["."]["digest"]}


def pkg(case):
    info = case["pkg"]
    namespace = info["namespace"]
    pkgs = [[key, digest(info["pkgs"][key])] for key in by_bytes(info["pkgs"])]
    return sealed({"record": [
        ["name", text(info["name"])],
        ["version", text(info["version"])],
        ["namespace", None if namespace is None else text(namespace)],
        ["files", digest(info["files"])],
        ["pkgs", {"record": pkgs}],
    ]}, "wake pkg v1")


def action(case):
    fields = []

    def field(group, key, value):
        fields.append(many(text(group), None if key is None else text(key), value))

    def named(kind, hex):
        return many(text(kind), digest(hex))

    if "run" in case["command"]:
        run = case["command"]["run"]
        field("program", None, text(run["program"]))
        for index, arg in enumerate(run["args"]):
            field("args", str(index), text(arg))
        for name in by_bytes(run["env"]):
            field("env", name, text(run["env"][name]))
        field("stdin", None, text(run["stdin"]))
        field("cwd", None, text(run["cwd"]))
    elif "image" in case["command"]:
        field("image", None, text(case["command"]["image"]["composition"]))
        field("cwd", None, text(case["command"]["image"]["cwd"]))
    else:
        field("collect", None, text(case["command"]["collect"]["cwd"]))
    root = case["root"]
    if root == "empty":
        field("rootfs", None, text(root))
    elif "ware" in root:
        field("rootfs", None, text("ware " + root["ware"]))
    else:
        field("rootfs", None, named(*next(iter(root.items()))))
    field("work", None, text("/" + case["work"]))
    if "files" in case:
        field("files", None, named("tree", case["files"]))
    for path in by_bytes(case["inputs"]):
        node = case["inputs"][path]
        if node == "dir":
            field("inputs", path, text("dir"))
        elif "link" in node or "ware" in node:
            field("inputs", path, text(" ".join(next(iter(node.items())))))
        elif "mount" in node:
            field("inputs", path, text(f"mount {node['mount']['access']} {node['mount']['host']}"))
        else:
            field("inputs", path, named(*next(iter(node.items()))))
    for path in by_bytes(case["own"]):
        field("own", path, text("dir"))
    for output in case["outputs"]:
        kind = output.get("kind") or f"ware {output['packtype']} {output['filters']}"
        field("outputs", output["path"], text(kind))
    for name in ("uid", "gid"):
        field("user", name, {"uint": case["user"][name]})
    field("user", "hostname", text(case["user"]["hostname"]))
    if "rights" in case["user"]:
        field("user", "rights", text(case["user"]["rights"]))
    field("network", None, text(case["network"]))
    field("sandbox", None, text(case["sandbox"]))
    field("platform", None, text(case["platform"]))
    return sealed({"list": fields}, "wake action v3")


def host(case):
    sources = ["etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed",
               "usr/lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite",
               "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db",
               "usr/lib/sysimage/rpm/Packages.db"]
    listings = ["var/lib/pacman/local", "var/lib/dpkg/status.d"]
    parts = [(path, case["files"][path]) for path in sources if path in case["files"]]
    parts += [(path, "\n".join(by_bytes(case["listings"][path])))
              for path in listings if path in case["listings"]]
    parts = [many(text(path), digest(blake3(content.encode()).hex())) for path, content in parts]
    etc = [many(text(path), text(shown["link"]) if "link" in shown else
                digest(blake3(shown["file"].encode()).hex()))
           for path, shown in sorted(case["etc"].items(), key=lambda item: item[0].encode())]
    return sealed(many(text(case["arch"]), {"list": parts}, {"list": etc}), "wake host v2")


def image_build(case):
    base = case["base"]
    base = many(text("build"), digest(base["build"])) if "build" in base else \
        many(text("image"), text(base["image"]), None if base["digest"] is None else text(base["digest"]))
    names = [text(case[name]) for name in
             ("name_of_image", "version", "system", "backend", "distro", "engine", "arch")]
    context = [many(text(file["path"]), digest(blake3(file["content"].encode()).hex()), file["executable"])
               for file in case["context"]]
    variables = [(name, text(case["variables"][name])) for name in by_bytes(case["variables"])]
    return sealed(many(*names, base, {"list": [digest(need) for need in case["needs"]]}, {"record": variables},
                       {"list": [text(one) for one in case["arguments"]]},
                       digest(blake3(case["template"].encode()).hex()), {"list": context},
                       None if case["prolog"] is None else {"list": [text(line) for line in case["prolog"]]}),
                  "wake image build v1")


def listing(case):
    letters = {"file": "f", "executable": "x", "dir": "d", "link": "l", "other": "o"}
    data = b"".join((letters[case["entries"][name]] + name + "\0").encode()
                    for name in by_bytes(case["entries"]))
    return {"encoded": data.hex(), "digest": blake3(data).hex()}


def evaluation(case):
    context = "wake evaluation v1"
    application = many(text(case["engine"]), {"uint": case["api"]}, text(canonical(case["op"])))
    key = sealed(application, context)
    reads = [many(text(kind), text(name), None if seen is None else digest(seen))
             for kind, name, seen in case["reads"]]
    return {"application": key, "result": sealed(many(digest(key["digest"]), *reads), context)}


def memo(case):
    return sealed(many(*map(text, case["words"])), "wake record v1")


def run_record(case):
    """The id of a result: SHA-384 over CBOR, as for everything in the Timeless Stack."""
    record = case["record"]
    results = b"".join(cbor(name) + cbor(record["results"][name]) for name in by_bytes(record["results"]))
    data = (head(5, 3) + cbor("formulaID") + cbor(record["formulaID"])
            + cbor("exitCode") + cbor(record["exitCode"])
            + cbor("results") + head(5, len(record["results"])) + results)
    return {"encoded": data.hex(), "id": base58(hashlib.sha384(data).digest())}


# --- `wake.lock`, implemented from `spec/lock.md`.

NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
PACKAGE = rf"(?:{NAME}/)?{NAME}"
NUMBER, WORD_OF_VERSION = r"(?:0|[1-9][0-9]*)", r"[0-9A-Za-z-]+"
PRE = rf"(?:{NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = (rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-{PRE}(?:\.{PRE})*)?"
           rf"(?:\+{WORD_OF_VERSION}(?:\.{WORD_OF_VERSION})*)?")
IMAGE = r"image:[!-?A-~]+"
WORDS = (PACKAGE, VERSION, rf"(?:{NAME}|via:{PACKAGE})", r"[0-9a-f]{64}")


class NoLock(Exception):
    """An error at a line and a column."""


def lock(case):
    try:
        return {"pkgs": sorted(locked(case["text"]), key=str.encode)}
    except NoLock as fault:
        return {"fault": list(fault.args)}


def locked(content):
    """The lines that name packages."""
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    if lines[-1] == "":
        lines.pop()
    found, contents, has_head, conflict = set(), {}, False, None
    for number, line in enumerate(lines, 1):
        marker = re.match(r"(<{7,}|[|]{7,}|={7,}|>{7,})(?: |$)", line)
        if marker:
            conflict = behind(marker[1], conflict, number)
        elif conflict and conflict["part"] == "|":
            pass
        elif not has_head or line == "wake-lock 1":
            if line != "wake-lock 1":
                raise NoLock(number, 1)
            has_head = True
        elif line.startswith("image:"):
            words = line.split(" ")
            if (len(words) != 2 or not re.fullmatch(IMAGE, words[0])
                    or not re.fullmatch(r"sha256:[0-9a-f]{64}", words[1])
                    or contents.setdefault(words[0], words[1]) != words[1]):
                raise NoLock(number, 1)
            found.add(line)
        elif line:
            words = line.split(" ")
            if len(words) != 4:
                raise NoLock(number, 1)
            for at, (word, form) in enumerate(zip(words, WORDS)):
                if not re.fullmatch(form, word):
                    raise NoLock(number, 1 + sum(len(before) + 1 for before in words[:at]))
            release = (words[0], words[1].split("+")[0])
            if contents.setdefault(release, words[3]) != words[3]:
                raise NoLock(number, 1)
            found.add(line)
    if conflict:
        raise NoLock(conflict["line"], 1)
    if not has_head:
        raise NoLock(max(1, len(lines)), 1)
    return found


def behind(marker, conflict, number):
    """The conflict that continues after a marker, if any."""
    if not conflict:
        if marker[0] != "<":
            raise NoLock(number, 1)
        return {"line": number, "length": len(marker), "part": "<"}
    if len(marker) != conflict["length"]:
        if conflict["part"] != "|":
            raise NoLock(number, 1)
        return conflict
    if marker[0] == ">" and conflict["part"] == "=":
        return None
    if (marker[0], conflict["part"]) in (("|", "<"), ("=", "<"), ("=", "|")):
        return conflict | {"part": marker[0]}
    raise NoLock(number, 1)


# --- Published packages: the archive of a package and its metadata.

def archive(case):
    data = tar(case["nodes"])
    return {"content": tree(case)["digest"], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def tar(nodes):
    """Files and links, sorted by the bytes of their paths, each a header and its content in blocks of 512; two empty blocks end it."""
    data = b""
    for path in by_bytes(nodes):
        node = nodes[path]
        if "link" in node:
            data += entry(path, 0o777, b"2", b"", node["link"])
        else:
            data += entry(path, 0o755 if node["executable"] else 0o644, b"0", node["file"].encode(), "")
    return data + bytes(1024)


def entry(path, mode, kind, content, link):
    name, target = path.encode(), link.encode()
    long = [(key, value) for key, value in ((b"path", name), (b"linkpath", target)) if len(value) > 100]
    before = b""
    if long:
        records = b"".join(pax(key, value) for key, value in long)
        before = ustar(b"pax", 0o644, 0, 0, b"x", len(records), b"") + blocks(records)
    return before + ustar(name, mode, 315619200, 0, kind, len(content), target) + blocks(content)


def pax(key, value):
    """`LENGTH KEY=VALUE` and a line feed; the length includes its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def ustar(name, mode, time, owner, kind, size, target):
    octal = lambda number, digits: b"%0*o\0" % (digits, number)
    fields = [name[:100].ljust(100, b"\0"), octal(mode, 7), octal(owner, 7), octal(owner, 7), octal(size, 11), octal(time, 11),
              b" " * 8, kind, target[:100].ljust(100, b"\0"), b"ustar\x0000", bytes(64), octal(0, 7), octal(0, 7), bytes(167)]
    header = b"".join(fields)
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]


def blocks(content):
    return content + bytes(-len(content) % 512)


def release(case):
    content = canonical(case["release"]) + "\n"
    return {"text": content, "sha256": hashlib.sha256(content.encode()).hexdigest()}


def manifest(case):
    if "release" in case:
        about = case["release"]
        config, kind = canonical(about) + "\n", "package"
        title = "/".join(about[key] for key in ("namespace", "name") if key in about)
        image = {"title": title, "version": about["version"], "description": about.get("description"),
                 "licenses": about.get("license"), "source": about.get("repository")}
        more = {"annotations": {"vnd.wake.content": about["content"], **{
            f"org.opencontainers.image.{key}": text for key, text in image.items() if text is not None}}}
        config_kind = "application/vnd.wake.package.metadata.v1+json"
        layers = [{"digest": "sha256:" + case["archive"]["sha256"], "size": case["archive"]["size"],
                   "mediaType": "application/vnd.wake.package.archive.v1.tar+zstd"}]
        if "attestation" in case:
            layers.append(embedded(case["attestation"], "application/vnd.in-toto.provenance+dsse"))
    else:
        config, kind, more = canonical(case["statement"]) + "\n", "statement", {}
        config_kind = "application/vnd.wake.statement.event.v1+json"
        layers = [embedded("{}", "application/vnd.oci.empty.v1+json")]
    content = canonical({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                         "artifactType": f"application/vnd.wake.{kind}.v1", "layers": layers,
                         "config": embedded(config, config_kind), **more})
    return {"text": content, "sha256": hashlib.sha256(content.encode()).hexdigest()}


def embedded(content, kind):
    data = content.encode()
    return {"data": base64.b64encode(data).decode(), "digest": "sha256:" + hashlib.sha256(data).hexdigest(),
            "mediaType": kind, "size": len(data)}


# --- Signatures: DSSE 1.0 over in-toto statements and heads, Ed25519 of RFC 8032, 5.1, with the key of its test 1.

SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
P = 2**255 - 19
GROUP = 2**252 + 27742317777372353535851937790883648493
CURVE = -121665 * pow(121666, P - 2, P) % P
BASE_Y = 4 * pow(5, P - 2, P) % P


def attestation(case):
    about, origin = case["release"], case["provenance"]
    name = "/".join(about[key] for key in ("namespace", "name") if key in about)
    dependencies = [{"digest": {"wakeTree1": one["content"]}, "name": one["name"], "uri": "wake:" + one["name"]}
                    for one in origin["materials"]]
    if "source" in origin:
        source = {"annotations": {"dirty": origin["source"]["dirty"]}, "name": "source",
                  "digest": {"gitCommit": origin["source"]["commit"]}}
        if "repository" in about:
            source["uri"] = about["repository"]
        dependencies.insert(0, source)
    steps = [{"digest": {"wakeAction3": one["action"]}, "name": one["label"], **(
        {"annotations": {"outputs": {"wakeTree1": one["outputs"]}}} if "outputs" in one else {})}
        for one in sorted(origin["steps"], key=lambda one: one["label"])]
    content = canonical({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [{"digest": {"wakeTree1": about["content"]}, "name": f"{name}@{about['version']}"}],
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:wake:publish:1",
                "externalParameters": {"allowedSecrets": origin["allowedSecrets"], "package": name,
                                       "verified": origin["verified"], "version": about["version"]},
                "internalParameters": {"sandbox": origin["sandbox"], "steps": len(steps)},
                "resolvedDependencies": dependencies},
            "runDetails": {"builder": {"id": "urn:wake:publisher", "version": {"wake": origin["wake"]}},
                           "byproducts": steps[:256]}}})
    return {"statement": content, "sha256": hashlib.sha256(content.encode()).hexdigest(),
            "line": enveloped("application/vnd.in-toto+json", content)}


def head_of_registry(case):
    content = canonical(case["head"])
    return {"text": content, "line": enveloped("application/vnd.wake.head.v1+json", content)}


def enveloped(kind, content):
    payload = content.encode()
    public, signature = signed(SECRET, f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
    return canonical({"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [
        {"keyid": hashlib.sha256(public).hexdigest()[:16], "sig": base64.b64encode(signature).decode()}]})


def signed(secret, message):
    def number_of(*parts):
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")
    half = hashlib.sha512(secret).digest()
    scalar = int.from_bytes(half[:32], "little") & (2**254 - 8) | 2**254
    public = point(scalar)
    nonce = number_of(half[32:], message) % GROUP
    commitment = point(nonce)
    answer = (nonce + number_of(commitment, public, message) * scalar) % GROUP
    return public, commitment + answer.to_bytes(32, "little")


def point(times):
    """A multiple of the base point, as bytes."""
    square = (BASE_Y * BASE_Y - 1) * pow(CURVE * BASE_Y * BASE_Y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    doubled, total = (x if x % 2 == 0 else P - x, BASE_Y), (0, 1)
    while times:
        total = plus(total, doubled) if times % 2 else total
        doubled, times = plus(doubled, doubled), times // 2
    return (total[1] | total[0] % 2 << 255).to_bytes(32, "little")


def plus(one, two):
    (a, b), (c, d) = one, two
    product = CURVE * a * b * c * d
    return ((a * d + b * c) * pow(1 + product, P - 2, P) % P, (b * d + a * c) * pow(1 - product, P - 2, P) % P)


# --- The part of CBOR, RFC 7049, that is needed here, and base58.

def cbor(content):
    if isinstance(content, str):
        return head(3, len(content.encode())) + content.encode()
    return head(0, content) if content >= 0 else head(1, -1 - content)


def head(major, count):
    for size, (limit, mark) in enumerate(((24, None), (1 << 8, 24), (1 << 16, 25), (1 << 32, 26))):
        if count < limit:
            return bytes([major << 5 | (count if mark is None else mark)]) + (
                b"" if mark is None else count.to_bytes(1 << (size - 1), "big"))
    return bytes([major << 5 | 27]) + count.to_bytes(8, "big")


def base58(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    rest, digits = int.from_bytes(data, "big"), ""
    while rest:
        rest, digit = divmod(rest, 58)
        digits = alphabet[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + digits


KINDS = {"blob": blob, "value": value, "refused": refused, "json": json_value, "tree": tree, "pkg": pkg,
         "action": action, "host": host, "listing": listing, "evaluation": evaluation, "memo": memo,
         "run_record": run_record, "lock": lock, "archive": archive, "release": release,
         "manifest": manifest, "image_build": image_build, "attestation": attestation,
         "head": head_of_registry}


def main(mode):
    """Returns 0 if every vector holds."""
    if mode not in ("check", "write"):
        sys.exit(__doc__)
    wrong = count = 0
    folder = pathlib.Path(__file__).resolve().parent.parent / "vectors"
    for kind, compute in KINDS.items():
        path = folder / f"{kind}.json"
        content = json.loads(path.read_text())
        for case in content["cases"]:
            expected = compute(case)
            count += 1
            if mode == "write":
                case.update(expected)
            elif any(case.get(name) != field for name, field in expected.items()):
                wrong += 1
                print(f"{path.name}: vector `{case['name']}` is wrong")
        if mode == "write":
            path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    print(f"{count} vectors, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) == 2 else ""))
