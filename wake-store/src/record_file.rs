//! The records that say what is known about an action or a tree.
//!
//! `magic, body, check`: the check is BLAKE3 over magic and body, keyed with the digest that the record is named
//! after, so that a torn, altered or misplaced one is noticed. Behind the check of an action's record comes the action,
//! whose digest is that very key. Source: `spec/store-layout.md`, records.

use wake_model::encode::{Domain, digest_bytes};
use wake_model::{
    BlobDigest, Digest, LogRef, Manifest, Node, Outcome, RelPath, RunRecord, SandboxLevel,
    TreeDigest, Usage, WareId,
};

use crate::framing::{Malformed, Reader, Writer};
use crate::stamps::{Stamp, Stamps};

const ACTION_MAGIC: &[u8; 8] = b"wakeact3";
const TREE_MAGIC: &[u8; 8] = b"waketre1";
const CHECK_LEN: usize = 32;

/// The content of one action's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionFile {
    pub(crate) tree: TreeDigest,
    pub(crate) record: RunRecord,
    /// The canonical bytes of the action.
    pub(crate) action: Vec<u8>,
    pub(crate) stamps: Stamps,
    /// The logs' bytes, where they are small enough to lie here.
    pub(crate) stdout: Option<Vec<u8>>,
    pub(crate) stderr: Option<Vec<u8>>,
}

/// The same, of things that are others'.
#[derive(Clone, Copy)]
pub(crate) struct ActionParts<'a> {
    pub(crate) tree: &'a TreeDigest,
    pub(crate) record: &'a RunRecord,
    pub(crate) action: &'a [u8],
    pub(crate) stamps: &'a Stamps,
    pub(crate) stdout: Option<&'a [u8]>,
    pub(crate) stderr: Option<&'a [u8]>,
}

/// The content of the file of a tree that no action made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeFile {
    pub(crate) manifest: Manifest,
    pub(crate) stamps: Stamps,
}

impl ActionParts<'_> {
    pub(crate) fn encode(&self, key: &Digest) -> Vec<u8> {
        let ActionParts { tree, record, action, stamps, stdout, stderr } = self;
        let logs = [stdout, stderr].into_iter().flatten().map(|log| log.len()).sum::<usize>();
        let mut w = Writer::with_capacity(512 + action.len() + logs + record.outputs.len() * 80);
        w.raw(ACTION_MAGIC);
        w.raw(&(action.len() as u64).to_le_bytes());
        w.digest(&tree.0);
        put_record(&mut w, record);
        put_stamps(&mut w, stamps);
        for log in [stdout, stderr] {
            put_option(&mut w, log.as_ref(), |w, log| w.bytes(log));
        }
        let mut bytes = seal(w, key);
        // Most of the record: its own digest is the key, so that nothing has to be hashed for it here.
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
        let (mut r, action) = unseal_action(bytes, key)?;
        let file = ActionFile {
            tree: TreeDigest(r.digest()?),
            record: get_record(&mut r)?,
            action: action.to_vec(),
            stamps: get_stamps(&mut r)?,
            stdout: get_option(&mut r, |r| r.bytes().map(<[u8]>::to_vec))?,
            stderr: get_option(&mut r, |r| r.bytes().map(<[u8]>::to_vec))?,
        };
        r.end()?;
        Ok(file)
    }
}

impl TreeFile {
    pub(crate) fn encode(&self, key: &Digest) -> Vec<u8> {
        let TreeFile { manifest, stamps } = self;
        let mut w = Writer::with_capacity(64 + manifest.len() * 80);
        w.raw(TREE_MAGIC);
        put_manifest(&mut w, manifest);
        put_stamps(&mut w, stamps);
        seal(w, key)
    }

    pub(crate) fn decode(bytes: &[u8], key: &Digest) -> Result<Self, Malformed> {
        let mut r = unseal(bytes, key, TREE_MAGIC)?;
        let file = TreeFile { manifest: get_manifest(&mut r)?, stamps: get_stamps(&mut r)? };
        r.end()?;
        Ok(file)
    }
}

/// Whether these are the bytes of an action's record, whole and under its own name.
pub(crate) fn is_action_record(bytes: &[u8], key: &Digest) -> bool {
    unseal_action(bytes, key).is_ok()
}

/// What is sealed of an action's record, and the action.
fn unseal_action<'a>(bytes: &'a [u8], key: &Digest) -> Result<(Reader<'a>, &'a [u8]), Malformed> {
    let len =
        u64::from_le_bytes(*bytes.get(8..).and_then(|rest| rest.first_chunk()).ok_or(Malformed)?);
    let sealed = usize::try_from(len).ok().and_then(|len| bytes.len().checked_sub(len));
    let (sealed, action) = bytes.split_at(sealed.ok_or(Malformed)?);
    let mut reader = unseal(sealed, key, ACTION_MAGIC)?;
    if digest_bytes(Domain::Action, action) != *key {
        return Err(Malformed);
    }
    reader.raw(8)?;
    Ok((reader, action))
}

fn seal(mut w: Writer, key: &Digest) -> Vec<u8> {
    let check = blake3::keyed_hash(key.as_bytes(), w.written());
    w.raw(check.as_bytes());
    w.into_bytes()
}

fn unseal<'a>(bytes: &'a [u8], key: &Digest, magic: &[u8]) -> Result<Reader<'a>, Malformed> {
    let body = bytes.len().checked_sub(CHECK_LEN).ok_or(Malformed)?;
    let (body, check) = bytes.split_at(body);
    if blake3::keyed_hash(key.as_bytes(), body).as_bytes() != check {
        return Err(Malformed);
    }
    let mut reader = Reader::new(body);
    if reader.raw(magic.len())? != magic { Err(Malformed) } else { Ok(reader) }
}

fn put_option<T>(w: &mut Writer, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
    w.byte(u8::from(value.is_some()));
    if let Some(value) = value {
        put(w, value);
    }
}

fn get_option<'a, T>(
    r: &mut Reader<'a>,
    get: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match r.byte()? {
        0 => Ok(None),
        1 => get(r).map(Some),
        _ => Err(Malformed),
    }
}

fn put_record(w: &mut Writer, record: &RunRecord) {
    // No `..`: what a record says is either kept here or lost, and that is to be decided.
    let RunRecord { guid, started_ms, outcome, outputs, wares, stdout, stderr, usage, sandbox } =
        record;
    w.text(guid);
    w.uint(*started_ms);
    put_outcome(w, outcome);
    put_manifest(w, outputs);
    w.uint(wares.len() as u64);
    for ware in wares {
        w.text(&ware.to_string());
    }
    for log in [stdout, stderr] {
        put_option(w, log.as_ref(), |w, LogRef { blob, size, dropped }| {
            w.digest(&blob.0);
            w.uint(*size);
            w.uint(*dropped);
        });
    }
    let Usage { wall_us, user_us, sys_us, peak_bytes } = usage;
    for number in [wall_us, user_us, sys_us, peak_bytes] {
        w.uint(*number);
    }
    w.byte(match sandbox {
        SandboxLevel::Strict => 0,
        SandboxLevel::Weak => 1,
    });
}

fn get_record(r: &mut Reader<'_>) -> Result<RunRecord, Malformed> {
    let get_log = |r: &mut Reader<'_>| {
        Ok(LogRef { blob: BlobDigest(r.digest()?), size: r.uint()?, dropped: r.uint()? })
    };
    Ok(RunRecord {
        guid: r.text()?.to_owned(),
        started_ms: r.uint()?,
        outcome: get_outcome(r)?,
        outputs: get_manifest(r)?,
        wares: get_wares(r)?,
        stdout: get_option(r, get_log)?,
        stderr: get_option(r, get_log)?,
        usage: Usage {
            wall_us: r.uint()?,
            user_us: r.uint()?,
            sys_us: r.uint()?,
            peak_bytes: r.uint()?,
        },
        sandbox: match r.byte()? {
            0 => SandboxLevel::Strict,
            1 => SandboxLevel::Weak,
            _ => return Err(Malformed),
        },
    })
}

fn get_wares(r: &mut Reader<'_>) -> Result<Vec<WareId>, Malformed> {
    let count = r.count()?;
    (0..count).map(|_| r.text()?.parse().map_err(|_| Malformed)).collect()
}

fn put_outcome(w: &mut Writer, outcome: &Outcome) {
    let (tag, number) = match outcome {
        Outcome::Exited(code) => (0, *code),
        Outcome::Signaled(signal) => (1, *signal),
        Outcome::TimedOut => (2, 0),
        Outcome::OutOfMemory => (3, 0),
    };
    w.byte(tag);
    w.raw(&number.to_le_bytes());
}

fn get_outcome(r: &mut Reader<'_>) -> Result<Outcome, Malformed> {
    let tag = r.byte()?;
    let number = i32::from_le_bytes(r.array()?);
    match tag {
        0 => Ok(Outcome::Exited(number)),
        1 => Ok(Outcome::Signaled(number)),
        2 => Ok(Outcome::TimedOut),
        3 => Ok(Outcome::OutOfMemory),
        _ => Err(Malformed),
    }
}

fn put_manifest(w: &mut Writer, manifest: &Manifest) {
    w.uint(manifest.len() as u64);
    for (path, node) in manifest.iter() {
        w.text(path.as_str());
        match node {
            Node::File { blob, size, executable } => {
                w.byte(if *executable { 1 } else { 0 });
                w.digest(&blob.0);
                w.uint(*size);
            }
            Node::Dir => w.byte(2),
            Node::Link { target } => {
                w.byte(3);
                w.text(target);
            }
        }
    }
}

fn get_manifest(r: &mut Reader<'_>) -> Result<Manifest, Malformed> {
    let count = r.count()?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let path = RelPath::parse(r.text()?).map_err(|_| Malformed)?;
        let node = match r.byte()? {
            tag @ (0 | 1) => {
                Node::File { blob: BlobDigest(r.digest()?), size: r.uint()?, executable: tag == 1 }
            }
            2 => Node::Dir,
            3 => Node::Link { target: r.text()?.to_owned() },
            _ => return Err(Malformed),
        };
        nodes.push((path, node));
    }
    Manifest::new(nodes).map_err(|_| Malformed)
}

fn put_stamps(w: &mut Writer, stamps: &Stamps) {
    let Stamps { boot, settled, nodes } = stamps;
    put_option(w, boot.as_ref(), |w, boot| w.raw(boot));
    w.byte(u8::from(*settled));
    w.uint(nodes.len() as u64);
    for Stamp { inode, changed_ns } in nodes {
        w.uint(*inode);
        w.raw(&changed_ns.to_le_bytes());
    }
}

fn get_stamps(r: &mut Reader<'_>) -> Result<Stamps, Malformed> {
    let boot = get_option(r, Reader::array)?;
    let settled = match r.byte()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed),
    };
    let count = r.count()?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(Stamp { inode: r.uint()?, changed_ns: i64::from_le_bytes(r.array()?) });
    }
    Ok(Stamps { boot, settled, nodes })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tree_record_has_the_bytes_that_the_specification_says() {
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
    fn a_body_that_checks_but_does_not_follow_the_format_is_refused() {
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
