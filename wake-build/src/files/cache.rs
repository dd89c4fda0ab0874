//! The file that remembers digests between builds: a head, a checksum, then fixed heads and paths.

use std::collections::HashMap;
use std::path::Path;

use wake_model::{BlobDigest, RelPath};

use super::{Files, Seen, Signature};

const HEAD: &[u8] = b"wake files 1\n";
const FIXED: usize = 8 * 3 + 4 + 16 * 2 + 32 + 4;

pub(super) fn read(path: &Path) -> Option<HashMap<Box<str>, (Signature, BlobDigest)>> {
    let bytes = std::fs::read(path).ok()?;
    let rest = bytes.strip_prefix(HEAD)?;
    let (checksum, mut body) = rest.split_at_checked(32)?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    let mut known = HashMap::with_capacity(body.len() / 120);
    while !body.is_empty() {
        let (fixed, rest) = body.split_at_checked(FIXED)?;
        let (signature, blob, length) = decode(fixed)?;
        let (path, rest) = rest.split_at_checked(length)?;
        known.insert(std::str::from_utf8(path).ok()?.into(), (signature, blob));
        body = rest;
    }
    Some(known)
}

pub(super) fn write(path: &Path, files: &Files) -> std::io::Result<()> {
    let mut body = Vec::new();
    let mut is_new = false;
    for entry in files.table.all().iter() {
        let (path, Some(known)) = (entry.path().as_str(), entry.known()) else { continue };
        if let (Some(signature), Seen::File { blob, .. }, true) =
            (known.signature(), known.seen(), known.settled())
        {
            is_new |= files.old.get(path) != Some(&(signature, blob));
            encode(&mut body, path, &signature, &blob);
        }
    }
    if !is_new {
        return Ok(());
    }
    for (path, (signature, blob)) in &files.old {
        let seen = RelPath::parse(path)
            .is_ok_and(|path| files.table.at(&path).with(|entry| entry.is_some()));
        if !seen {
            encode(&mut body, path, signature, blob);
        }
    }
    let checksum = blake3::hash(&body);
    wake_steps::state_file::replace_in_parts(path, &[HEAD, checksum.as_bytes(), &body])
}

fn encode(body: &mut Vec<u8>, path: &str, signature: &Signature, blob: &BlobDigest) {
    let Signature { inode: (device, inode), size, mode, mtime, ctime } = signature;
    body.extend_from_slice(&device.to_le_bytes());
    body.extend_from_slice(&inode.to_le_bytes());
    body.extend_from_slice(&size.to_le_bytes());
    body.extend_from_slice(&mode.to_le_bytes());
    body.extend_from_slice(&i128::from(*mtime).to_le_bytes());
    body.extend_from_slice(&i128::from(*ctime).to_le_bytes());
    body.extend_from_slice(blob.as_bytes());
    let length = u32::try_from(path.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(path.as_bytes());
}

fn decode(fixed: &[u8]) -> Option<(Signature, BlobDigest, usize)> {
    let mut rest = fixed;
    let signature = Signature {
        inode: (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?)),
        size: u64::from_le_bytes(take(&mut rest)?),
        mode: u32::from_le_bytes(take(&mut rest)?),
        mtime: i64::try_from(i128::from_le_bytes(take(&mut rest)?)).ok()?,
        ctime: i64::try_from(i128::from_le_bytes(take(&mut rest)?)).ok()?,
    };
    let blob = BlobDigest(wake_model::Digest::from_bytes(take(&mut rest)?));
    let length = u32::from_le_bytes(take(&mut rest)?);
    Some((signature, blob, length as usize))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}
