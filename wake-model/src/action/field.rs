//! The single traversal of the parts of an action, used both to hash and to explain it.

use std::fmt::Write as _;

use super::{
    Action, Command, InputNode, Invocation, MountAccess, OutputDecl, Outputs, Rights, RootFs, User,
    WareDecl,
};
use crate::decode::{DecodeError, Decoder, Token};
use crate::digest::{ActionDigest, Digest};
use crate::encode::{Domain, Encoder, Sink, digest_bytes, recount};

/// The group of [`Action::own_files`].
pub const OWN_FILES: &str = "files";
/// The group of [`Action::inputs`].
pub const INPUTS: &str = "inputs";

/// One named part of an action, as seen by hashing and by explanations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The group: `env`, `inputs`, ….
    pub group: String,
    /// The name within the group; `None` if the group has one field.
    pub key: Option<String>,
    /// The value.
    pub value: FieldValue,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// A word or a string.
    Text(String),
    /// A number.
    Uint(u64),
    /// A digest, and the kind of thing it names: `file`, `executable`, `tree`, `host`.
    Digest(String, Digest),
}

impl Action {
    /// Returns the cache key of the action. Source: `spec/encoding.md`, action.
    pub fn digest(&self) -> ActionDigest {
        self.encode_with_digest().1
    }

    /// Returns the canonical encoding together with its digest, the cache key.
    pub fn encode_with_digest(&self) -> (Vec<u8>, ActionDigest) {
        let bytes = self.encode();
        let digest = ActionDigest(digest_bytes(Domain::Action, &bytes));
        (bytes, digest)
    }

    /// Returns the canonical encoding: the list of [`Action::fields`].
    pub fn encode(&self) -> Vec<u8> {
        let stdin = match &self.command {
            Command::Run(run) => run.stdin.len(),
            Command::Collect { .. } => 0,
            Command::Image { composition, .. } => composition.len(),
        };
        let mut bytes = Vec::with_capacity(2048 + 160 * self.inputs.len() + stdin);
        let mut encoder = Encoder::new(&mut bytes);
        encoder.list(0);
        let mut count = 0;
        self.walk(&mut |group, key, value| {
            count += 1;
            encoder.list(3);
            encoder.text(group);
            match key {
                Some(key) => encoder.text(key),
                None => encoder.none(),
            }
            value.encode(&mut encoder);
        });
        recount(&mut bytes, count);
        bytes
    }

    /// Returns the named parts of an encoded action, for comparison with another.
    pub fn decode_fields(encoded: &[u8]) -> Result<Vec<Field>, DecodeError> {
        let mut decoder = Decoder::new(encoded);
        let Token::List(count) = decoder.token()? else { return Err(decoder.error()) };
        let mut fields = Vec::new();
        for _ in 0..count {
            fields.push(decode_field(&mut decoder)?);
        }
        decoder.end()?;
        Ok(fields)
    }

    /// Returns the first parts that differ and have the same number of parts before them in both encoded actions.
    /// `None` if one is a prefix of the other, or is not an encoded action.
    ///
    /// Costs little more than a comparison of the bytes.
    pub fn first_difference(one: &[u8], other: &[u8]) -> Option<(Field, Field)> {
        let (mut at, mut beside) = (Decoder::new(one), Decoder::new(other));
        let (Token::List(_), Token::List(_)) = (at.token().ok()?, beside.token().ok()?) else {
            return None;
        };
        let header = at.at();
        let equal = one.iter().zip(other).skip(header).take_while(|(a, b)| a == b).count();
        loop {
            let start = at.clone();
            skip_field(&mut at).ok()?;
            if at.at() > header + equal {
                beside.go_to(start.at());
                at = start;
                return Some((decode_field(&mut at).ok()?, decode_field(&mut beside).ok()?));
            }
        }
    }

    /// Returns every named part, in a fixed order.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::with_capacity(self.inputs.len() + 24);
        self.walk(&mut |group, key, value| {
            let (group, key) = (group.to_owned(), key.map(str::to_owned));
            fields.push(Field { group, key, value: value.to_owned() });
        });
        fields
    }

    /// The single traversal that hashes and explains: visits the group, key and value of each part.
    fn walk(&self, each: &mut dyn FnMut(&str, Option<&str>, Part<'_>)) {
        // No `..`: a new field must not compile until someone decides whether it is part of the identity.
        let Action {
            command,
            root,
            work,
            own_files,
            inputs,
            own_dirs,
            outputs,
            user,
            network,
            sandbox,
            platform,
        } = self;
        walk_command(command, each);
        let ware;
        let root = match root {
            RootFs::Host(host) => Part::Digest("host", &host.0),
            RootFs::Empty => Part::Text("empty"),
            RootFs::Tree(tree) => Part::Digest("tree", &tree.0),
            RootFs::Ware(id) => {
                ware = id.to_string();
                Part::Prefixed(WARE, &ware)
            }
            RootFs::Mount { host, access } => Part::Prefixed(mounted(*access), host),
        };
        each("rootfs", None, root);
        each("work", None, Part::Prefixed("/", work.as_str()));
        if let Some(tree) = own_files {
            each(OWN_FILES, None, Part::Digest("tree", &tree.0));
        }
        for (path, node) in inputs {
            walk_input(path.as_str(), node, each);
        }
        for path in own_dirs {
            each("own", Some(path.as_str()), Part::Text("dir"));
        }
        walk_outputs(outputs, each);
        let User { uid, gid, hostname, rights } = user;
        each("user", Some("uid"), Part::Uint(u64::from(*uid)));
        each("user", Some("gid"), Part::Uint(u64::from(*gid)));
        each("user", Some("hostname"), Part::Text(hostname));
        // Ordinary rights are not written, so that actions keep the keys they had before rights existed.
        if *rights != Rights::Ordinary {
            each("user", Some("rights"), Part::Text(rights.as_ref()));
        }
        each("network", None, Part::Text(network.as_ref()));
        each("sandbox", None, Part::Text(sandbox.as_ref()));
        each("platform", None, Part::Text(platform));
    }
}

fn walk_command(command: &Command, each: &mut dyn FnMut(&str, Option<&str>, Part<'_>)) {
    match command {
        Command::Run(Invocation { program, args, env, stdin, cwd }) => {
            each("program", None, Part::Text(program));
            let mut index = String::new();
            for (number, arg) in args.iter().enumerate() {
                index.clear();
                // Writing to a string cannot fail.
                let _ = write!(index, "{number}");
                each("args", Some(&index), Part::Text(arg));
            }
            for (name, value) in env {
                each("env", Some(name), Part::Text(value));
            }
            each("stdin", None, Part::Text(stdin));
            each("cwd", None, Part::Text(cwd));
        }
        Command::Collect { cwd } => each("collect", None, Part::Text(cwd)),
        Command::Image { cwd, composition } => {
            each("image", None, Part::Text(composition));
            each("cwd", None, Part::Text(cwd));
        }
    }
}

fn walk_input(path: &str, node: &InputNode, each: &mut dyn FnMut(&str, Option<&str>, Part<'_>)) {
    let mut part = |part: Part<'_>| each(INPUTS, Some(path), part);
    match node {
        InputNode::File { blob, executable: false } => part(Part::Digest("file", &blob.0)),
        InputNode::File { blob, executable: true } => part(Part::Digest("executable", &blob.0)),
        InputNode::Tree(tree) => part(Part::Digest("tree", &tree.0)),
        InputNode::Link { target } => part(Part::Prefixed("link ", target)),
        InputNode::Dir => part(Part::Text("dir")),
        InputNode::Ware(ware) => part(Part::Prefixed(WARE, &ware.to_string())),
        InputNode::Mount { host, access } => part(Part::Prefixed(mounted(*access), host)),
    }
}

fn mounted(access: MountAccess) -> &'static str {
    match access {
        MountAccess::ReadOnly => "mount ro ",
        MountAccess::Layered => "mount overlay ",
        MountAccess::ReadWrite => "mount rw ",
    }
}

fn walk_outputs(outputs: &Outputs, each: &mut dyn FnMut(&str, Option<&str>, Part<'_>)) {
    match outputs {
        Outputs::Tree(outputs) => {
            for OutputDecl { path, kind } in outputs {
                each("outputs", Some(path.as_str()), Part::Text(kind.as_ref()));
            }
        }
        Outputs::Wares(outputs) => {
            for WareDecl { path, packtype, filters } in outputs {
                let packed = format!("{packtype} {filters}");
                each("outputs", Some(path.as_str()), Part::Prefixed(WARE, &packed));
            }
        }
        Outputs::Layer(path) => each("outputs", Some(path.as_str()), Part::Text("layer")),
    }
}

/// The value of a part, borrowed.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    /// Two strings, concatenated.
    Prefixed(&'static str, &'a str),
    Uint(u64),
    Digest(&'static str, &'a Digest),
}

const WARE: &str = "ware ";

impl Part<'_> {
    fn encode<S: Sink>(self, encoder: &mut Encoder<'_, S>) {
        match self {
            Part::Text(text) => encoder.text(text),
            Part::Prefixed(lead, text) => encoder.text(&[lead, text].concat()),
            Part::Uint(number) => encoder.uint(number),
            Part::Digest(kind, digest) => {
                encoder.list(2);
                encoder.text(kind);
                encoder.digest(digest);
            }
        }
    }

    fn to_owned(self) -> FieldValue {
        match self {
            Part::Text(text) => FieldValue::Text(text.to_owned()),
            Part::Prefixed(lead, text) => FieldValue::Text([lead, text].concat()),
            Part::Uint(number) => FieldValue::Uint(number),
            Part::Digest(kind, digest) => FieldValue::Digest(kind.to_owned(), *digest),
        }
    }
}

fn skip_field(decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
    for _ in 0..3 {
        decoder.token()?;
    }
    if let Token::List(count) = decoder.token()? {
        for _ in 0..count {
            decoder.token()?;
        }
    }
    Ok(())
}

fn decode_field(decoder: &mut Decoder<'_>) -> Result<Field, DecodeError> {
    let (Token::List(3), Token::Text(group)) = (decoder.token()?, decoder.token()?) else {
        return Err(decoder.error());
    };
    let key = match decoder.token()? {
        Token::None => None,
        Token::Text(key) => Some(key.to_owned()),
        _ => return Err(decoder.error()),
    };
    let value = match decoder.token()? {
        Token::Text(text) => FieldValue::Text(text.to_owned()),
        Token::Uint(number) => FieldValue::Uint(number),
        Token::List(2) => match (decoder.token()?, decoder.token()?) {
            (Token::Text(kind), Token::Digest(digest)) => {
                FieldValue::Digest(kind.to_owned(), digest)
            }
            _ => return Err(decoder.error()),
        },
        _ => return Err(decoder.error()),
    };
    Ok(Field { group: group.to_owned(), key, value })
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}.{key}", self.group),
            None => f.write_str(&self.group),
        }
    }
}

impl std::fmt::Display for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FieldValue::Text(text) => write!(f, "{text:?}"),
            FieldValue::Uint(number) => write!(f, "{number}"),
            FieldValue::Digest(kind, digest) => write!(f, "{kind} {}", digest.short(12)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::action::{Network, OutputKind, Rights, SandboxLevel};
    use crate::digest::{BlobDigest, HostDigest, TreeDigest};
    use crate::path::RelPath;
    use crate::ware::PackType;

    fn out(kind: OutputKind) -> OutputDecl {
        OutputDecl { path: "work/out".parse().unwrap(), kind }
    }

    fn ware(packtype: PackType, filters: &str) -> WareDecl {
        WareDecl { path: "work/out".parse().unwrap(), packtype, filters: filters.to_owned() }
    }

    fn mount(access: MountAccess) -> InputNode {
        InputNode::Mount { host: "/data".into(), access }
    }

    pub(crate) fn sample() -> Action {
        Action {
            command: Command::Run(Invocation {
                program: "./tool".into(),
                args: vec!["-o".into(), "out".into()],
                env: BTreeMap::from([("LANG".into(), "C.UTF-8".into())]),
                stdin: "{}\n".into(),
                cwd: "/work".into(),
            }),
            root: RootFs::Empty,
            work: "work".parse().unwrap(),
            own_files: None,
            inputs: BTreeMap::from([(
                "work/tool".parse().unwrap(),
                InputNode::File { blob: BlobDigest::of(b"tool"), executable: true },
            )]),
            own_dirs: BTreeSet::new(),
            outputs: Outputs::Tree(vec![out(OutputKind::Any)]),
            user: User { uid: 1000, gid: 1000, hostname: "wake".into(), rights: Rights::Ordinary },
            network: Network::None,
            sandbox: SandboxLevel::Strict,
            platform: "x86_64-linux".into(),
        }
    }

    /// One change per property of an action.
    fn changes() -> Vec<fn(&mut Action)> {
        fn run(action: &mut Action) -> &mut Invocation {
            match &mut action.command {
                Command::Run(invocation) => invocation,
                Command::Collect { .. } | Command::Image { .. } => {
                    unreachable!("the sample runs a program")
                }
            }
        }
        vec![
            |a| run(a).program = "./other".into(),
            |a| run(a).args.reverse(),
            |a| run(a).args = vec!["-oout".into()],
            |a| run(a).env = BTreeMap::from([("LANG".into(), "C".into())]),
            |a| run(a).stdin.clear(),
            |a| run(a).cwd = "/task".into(),
            |a| a.command = Command::Collect { cwd: "/work".into() },
            |a| {
                a.command = Command::Image { cwd: "/work".into(), composition: "{}".into() };
            },
            |a| {
                a.command = Command::Image { cwd: "/task".into(), composition: "{}".into() };
            },
            |a| a.root = RootFs::Host(HostDigest(Digest::from_bytes([7; 32]))),
            |a| a.root = RootFs::Tree(TreeDigest(Digest::from_bytes([7; 32]))),
            |a| *a.inputs.values_mut().next().unwrap() = InputNode::Dir,
            |a| {
                *a.inputs.values_mut().next().unwrap() =
                    InputNode::File { blob: BlobDigest::of(b"tool"), executable: false };
            },
            |a| *a.inputs.values_mut().next().unwrap() = InputNode::Link { target: "x".into() },
            |a| *a.inputs.values_mut().next().unwrap() = InputNode::Ware("tree:x".parse().unwrap()),
            |a| *a.inputs.values_mut().next().unwrap() = mount(MountAccess::ReadOnly),
            |a| *a.inputs.values_mut().next().unwrap() = mount(MountAccess::Layered),
            |a| *a.inputs.values_mut().next().unwrap() = mount(MountAccess::ReadWrite),
            |a| a.root = RootFs::Ware("tree:x".parse().unwrap()),
            |a| a.root = RootFs::Mount { host: "/data".into(), access: MountAccess::ReadOnly },
            |a| a.work = RelPath::root(),
            |a| a.own_files = Some(TreeDigest(Digest::from_bytes([7; 32]))),
            |a| a.own_files = Some(TreeDigest(Digest::from_bytes([8; 32]))),
            |a| a.own_dirs = BTreeSet::from(["work".parse().unwrap()]),
            |a| a.own_dirs = BTreeSet::from(["work".parse().unwrap(), "tmp".parse().unwrap()]),
            |a| a.inputs = BTreeMap::new(),
            |a| a.outputs = Outputs::Tree(vec![out(OutputKind::Dir)]),
            |a| a.outputs = Outputs::Tree(vec![]),
            |a| a.outputs = Outputs::Wares(vec![ware(PackType::Tar, "")]),
            |a| a.outputs = Outputs::Wares(vec![ware(PackType::Tree, "")]),
            |a| a.outputs = Outputs::Wares(vec![ware(PackType::Tar, "uid=7")]),
            |a| a.outputs = Outputs::Layer("work/out".parse().unwrap()),
            |a| a.user.uid = 0,
            |a| a.user.gid = 0,
            |a| a.user.hostname = "h".into(),
            |a| a.user.rights = Rights::Owners,
            |a| a.network = Network::Host,
            |a| a.sandbox = SandboxLevel::Weak,
            |a| a.platform = "aarch64-linux".into(),
        ]
    }

    #[test]
    fn fields_are_decoded_from_the_encoding() {
        for change in changes() {
            let mut action = sample();
            change(&mut action);
            assert_eq!(Action::decode_fields(&action.encode()), Ok(action.fields()));
        }
        let encoded = sample().encode();
        for cut in 0..encoded.len() {
            assert!(Action::decode_fields(&encoded[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn the_first_difference_is_found_by_field() {
        let (old, encoded) = (sample().fields(), sample().encode());
        for change in changes() {
            let mut action = sample();
            change(&mut action);
            let expected = old.iter().cloned().zip(action.fields()).find(|(a, b)| a != b);
            assert!(expected.is_some());
            assert_eq!(Action::first_difference(&encoded, &action.encode()), expected);
        }
        assert_eq!(Action::first_difference(&encoded, &encoded), None);
        for cut in 0..encoded.len() {
            assert_eq!(Action::first_difference(&encoded, &encoded[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn every_change_of_a_field_gives_another_digest() {
        let mut digests = vec![sample().digest()];
        for change in changes() {
            let mut action = sample();
            change(&mut action);
            digests.push(action.digest());
        }
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }
}
