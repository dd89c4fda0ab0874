//! The records about actions and trees.
//!
//! `magic, body, check`: the check is BLAKE3 over magic and body, keyed with the digest that the record is named after,
//! so that a torn, altered or misplaced record is detected. In an action record, the action, whose digest is that key,
//! follows the check. The body is the postcard encoding of the types below. Source: `spec/store-layout.md`, records.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_bytes};
use wake_model::{
    BlobDigest, Digest, LogRef, Manifest, Node, Outcome, RelPath, RunRecord, SandboxLevel,
    TreeDigest, Usage, WareId,
};

use crate::stamps::Stamps;

const ACTION_MAGIC: &[u8; 8] = b"wakeact3";
const TREE_MAGIC: &[u8; 8] = b"waketre1";

/// The bytes do not follow their format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The content of an action record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionFile {
    pub(crate) tree: TreeDigest,
    pub(crate) record: RunRecord,
    /// The canonical bytes of the action.
    pub(crate) action: Vec<u8>,
    pub(crate) stamps: Stamps,
    /// The bytes of the logs that are small enough to be stored here.
    pub(crate) stdout: Option<Vec<u8>>,
    pub(crate) stderr: Option<Vec<u8>>,
}

/// The same, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct ActionParts<'a> {
    pub(crate) tree: &'a TreeDigest,
    pub(crate) record: &'a RunRecord,
    pub(crate) action: &'a [u8],
    pub(crate) stamps: &'a Stamps,
    pub(crate) stdout: Option<&'a [u8]>,
    pub(crate) stderr: Option<&'a [u8]>,
}

/// The content of the record of a tree that no action created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeFile {
    pub(crate) manifest: Manifest,
    pub(crate) stamps: Stamps,
}

#[derive(Serialize, Deserialize)]
struct ActionForm<'a> {
    /// The length of the action after the check.
    #[serde(with = "postcard::fixint::le")]
    action: u64,
    tree: [u8; 32],
    #[serde(borrow)]
    record: RunForm<'a>,
    stamps: Cow<'a, Stamps>,
    #[serde(borrow, with = "serde_bytes")]
    stdout: Option<&'a [u8]>,
    #[serde(borrow, with = "serde_bytes")]
    stderr: Option<&'a [u8]>,
}

#[derive(Serialize, Deserialize)]
struct RunForm<'a> {
    guid: &'a str,
    started_ms: u64,
    /// The kind of outcome, and the status or signal.
    outcome: (u8, [u8; 4]),
    #[serde(borrow)]
    outputs: ManifestForm<'a>,
    wares: Cow<'a, [WareId]>,
    stdout: Option<LogForm>,
    stderr: Option<LogForm>,
    usage: Usage,
    sandbox: SandboxLevel,
}

/// The blob, its size and the number of bytes dropped.
type LogForm = ([u8; 32], u64, u64);

type ManifestForm<'a> = Vec<(RelPath, NodeForm<'a>)>;

#[derive(Serialize, Deserialize)]
enum NodeForm<'a> {
    File([u8; 32], u64),
    Executable([u8; 32], u64),
    Dir,
    Link(&'a str),
}

impl<'a> NodeForm<'a> {
    fn of(node: &'a Node) -> Self {
        match node {
            Node::File { blob, size, executable: false } => {
                NodeForm::File(*blob.0.as_bytes(), *size)
            }
            Node::File { blob, size, .. } => NodeForm::Executable(*blob.0.as_bytes(), *size),
            Node::Dir => NodeForm::Dir,
            Node::Link { target } => NodeForm::Link(target),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct TreeForm<'a> {
    #[serde(borrow)]
    manifest: ManifestForm<'a>,
    stamps: Cow<'a, Stamps>,
}

impl ActionParts<'_> {
    pub(crate) fn encode(&self, key: &Digest) -> Vec<u8> {
        let ActionParts { tree, record, action, stamps, stdout, stderr } = *self;
        let form = ActionForm {
            action: action.len() as u64,
            tree: *tree.0.as_bytes(),
            record: RunForm::of(record),
            stamps: Cow::Borrowed(stamps),
            stdout,
            stderr,
        };
        let mut bytes = seal(ACTION_MAGIC, &form, key);
        // Most of the record: its own digest is the key, so it need not be hashed here.
        bytes.extend_from_slice(action);
        bytes
    }
}

impl ActionFile {
    pub(crate) fn parts(&self) -> ActionParts<'_> {
        let ActionFile { tree, record, action, stamps, stdout, stderr } = self;
        let (stdout, stderr) = (stdout.as_deref(), stderr.as_deref());
        ActionParts { tree, record, action, stamps, stdout, stderr }
    }

    pub(crate) fn decode(bytes: &[u8], key: &Digest) -> Result<Self, Malformed> {
        let (body, action) = unseal_action(bytes, key)?;
        let ActionForm { tree, record, stamps, stdout, stderr, .. } = read(body)?;
        Ok(ActionFile {
            tree: TreeDigest(Digest::from_bytes(tree)),
            record: record.into_record()?,
            action: action.to_vec(),
            stamps: stamps.into_owned(),
            stdout: stdout.map(<[u8]>::to_vec),
            stderr: stderr.map(<[u8]>::to_vec),
        })
    }
}

impl TreeFile {
    pub(crate) fn encode(&self, key: &Digest) -> Vec<u8> {
        let TreeFile { manifest, stamps } = self;
        let form = TreeForm { manifest: form_of(manifest), stamps: Cow::Borrowed(stamps) };
        seal(TREE_MAGIC, &form, key)
    }

    pub(crate) fn decode(bytes: &[u8], key: &Digest) -> Result<Self, Malformed> {
        let TreeForm { manifest, stamps } = read(unseal(bytes, key, TREE_MAGIC)?)?;
        Ok(TreeFile { manifest: manifest_of(manifest)?, stamps: stamps.into_owned() })
    }
}

/// Returns whether these are the bytes of a complete action record under its own name.
pub(crate) fn is_action_record(bytes: &[u8], key: &Digest) -> bool {
    unseal_action(bytes, key).is_ok()
}

/// Returns the sealed part of an action record, and the action.
fn unseal_action<'a>(bytes: &'a [u8], key: &Digest) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let len = bytes.get(ACTION_MAGIC.len()..).and_then(|rest| rest.first_chunk());
    let len = usize::try_from(u64::from_le_bytes(*len.ok_or(Malformed)?)).ok();
    let sealed = len.and_then(|len| bytes.len().checked_sub(len));
    let (sealed, action) = bytes.split_at(sealed.ok_or(Malformed)?);
    let body = unseal(sealed, key, ACTION_MAGIC)?;
    if digest_bytes(Domain::Action, action) != *key {
        return Err(Malformed);
    }
    Ok((body, action))
}

fn seal(magic: &[u8], form: &impl Serialize, key: &Digest) -> Vec<u8> {
    // Encoding into memory cannot fail; if it did, the record would not be found again.
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(magic);
    let mut bytes = postcard::to_extend(form, bytes).unwrap_or_default();
    let check = blake3::keyed_hash(key.as_bytes(), &bytes);
    bytes.extend_from_slice(check.as_bytes());
    bytes
}

/// Returns the bytes between magic and check, if these are right.
fn unseal<'a>(bytes: &'a [u8], key: &Digest, magic: &[u8]) -> Result<&'a [u8], Malformed> {
    let (sealed, check) = bytes.split_last_chunk().ok_or(Malformed)?;
    if blake3::keyed_hash(key.as_bytes(), sealed).as_bytes() != check {
        return Err(Malformed);
    }
    sealed.strip_prefix(magic).ok_or(Malformed)
}

/// Decodes a value that must span all bytes.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((form, [])) => Ok(form),
        _ => Err(Malformed),
    }
}

impl<'a> RunForm<'a> {
    fn of(record: &'a RunRecord) -> Self {
        // No `..`: every field of a record is either kept here or deliberately dropped.
        let RunRecord { guid, started_ms, outcome, outputs, wares, stdout, stderr, usage, sandbox } =
            record;
        let (tag, number) = match outcome {
            Outcome::Exited(code) => (0, *code),
            Outcome::Signaled(signal) => (1, *signal),
            Outcome::TimedOut => (2, 0),
            Outcome::OutOfMemory => (3, 0),
        };
        let log = |log: &LogRef| (*log.blob.0.as_bytes(), log.size, log.dropped);
        RunForm {
            guid,
            started_ms: *started_ms,
            outcome: (tag, number.to_le_bytes()),
            outputs: form_of(outputs),
            wares: Cow::Borrowed(wares),
            stdout: stdout.as_ref().map(log),
            stderr: stderr.as_ref().map(log),
            usage: *usage,
            sandbox: *sandbox,
        }
    }

    fn into_record(self) -> Result<RunRecord, Malformed> {
        let (tag, number) = self.outcome;
        let number = i32::from_le_bytes(number);
        let log = |(blob, size, dropped)| LogRef { blob: blob_of(blob), size, dropped };
        Ok(RunRecord {
            guid: self.guid.to_owned(),
            started_ms: self.started_ms,
            outcome: match tag {
                0 => Outcome::Exited(number),
                1 => Outcome::Signaled(number),
                2 => Outcome::TimedOut,
                3 => Outcome::OutOfMemory,
                _ => return Err(Malformed),
            },
            outputs: manifest_of(self.outputs)?,
            wares: self.wares.into_owned(),
            stdout: self.stdout.map(log),
            stderr: self.stderr.map(log),
            usage: self.usage,
            sandbox: self.sandbox,
        })
    }
}

fn blob_of(bytes: [u8; 32]) -> BlobDigest {
    BlobDigest(Digest::from_bytes(bytes))
}

fn form_of(manifest: &Manifest) -> ManifestForm<'_> {
    manifest.iter().map(|(path, node)| (path.clone(), NodeForm::of(node))).collect()
}

fn manifest_of(form: ManifestForm<'_>) -> Result<Manifest, Malformed> {
    let node = |form| match form {
        NodeForm::File(blob, size) => Node::File { blob: blob_of(blob), size, executable: false },
        NodeForm::Executable(blob, size) => {
            Node::File { blob: blob_of(blob), size, executable: true }
        }
        NodeForm::Dir => Node::Dir,
        NodeForm::Link(target) => Node::Link { target: target.to_owned() },
    };
    let nodes = form.into_iter().map(|(path, form)| (path, node(form)));
    Manifest::new(nodes).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::stamps::Stamp;

    #[test]
    fn a_tree_record_has_the_bytes_of_the_specification() {
        let manifest = Manifest::new([
            ("d".parse().unwrap(), Node::Dir),
            ("l".parse().unwrap(), Node::Link { target: "d".into() }),
        ]);
        let nodes = vec![Stamp { inode: 300, changed_ns: -1 }];
        let stamps = Stamps { boot: Some([7; 16]), settled: true, nodes };
        let file = TreeFile { manifest: manifest.unwrap(), stamps };
        let mut expected = b"waketre1".to_vec();
        expected.extend([2, 1, b'd', 2, 1, b'l', 3, 1, b'd']);
        expected.push(1);
        expected.extend([7; 16]);
        expected.extend([1, 1, 0xac, 0x02]);
        expected.extend([0xff; 8]);
        let key = Digest::from_bytes([9; 32]);
        let check = blake3::keyed_hash(&[9; 32], &expected);
        expected.extend(check.as_bytes());
        assert_eq!(file.encode(&key), expected);
        assert_eq!(TreeFile::decode(&expected, &key), Ok(file));
        assert_eq!(TreeFile::decode(&expected, &Digest::from_bytes([8; 32])), Err(Malformed));
    }

    #[test]
    fn a_malformed_body_with_a_valid_checksum_is_refused() {
        let key = Digest::from_bytes([9; 32]);
        let bodies: [&[u8]; 5] = [
            b"",
            b"waketre1",
            b"waketre2\0\0\0\0",
            b"waketre1\0\0\0\0 and more",
            b"waketre1\xff\xff\xff\xff\x0f",
        ];
        for body in bodies {
            let mut bytes = body.to_vec();
            bytes.extend(blake3::keyed_hash(&[9; 32], body).as_bytes());
            assert_eq!(TreeFile::decode(&bytes, &key), Err(Malformed), "{body:?}");
        }
    }
}
