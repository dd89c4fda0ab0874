//! The file that caches digests between builds: a head, a checksum, the boot, then fixed-size heads and paths.
//!
//! After a power cut, metadata of a file can be on disk when its content is not. Digests are therefore valid only in the boot in
//! which they were computed.

use std::collections::HashMap;

use wake_model::{BlobDigest, RelPath};
use wake_store::{ConfinedPath, current_boot};

use super::{FileState, Files, Signature};
use crate::fixed::Fixed;

const HEAD: &[u8] = b"wake files 3\n";
/// The largest size of the cache in bytes; a longer file was not written by wake.
const LARGEST: u64 = 512 << 20;

pub(super) fn read(path: &ConfinedPath) -> Option<HashMap<Box<str>, (Signature, BlobDigest)>> {
    let boot = current_boot()?;
    let bytes = path.read(LARGEST).ok()?;
    let rest = bytes.strip_prefix(HEAD)?;
    let (checksum, mut body) = rest.split_at_checked(32)?;
    if blake3::hash(body).as_bytes() != checksum {
        return None;
    }
    body = body.strip_prefix(&boot)?;
    let mut known = HashMap::with_capacity(body.len() / 120);
    while !body.is_empty() {
        let (signature, blob) = (Fixed::get(&mut body)?, Fixed::get(&mut body)?);
        let length = u32::get(&mut body)?;
        let (path, rest) = body.split_at_checked(length as usize)?;
        known.insert(std::str::from_utf8(path).ok()?.into(), (signature, blob));
        body = rest;
    }
    Some(known)
}

pub(super) fn write(path: &ConfinedPath, files: &Files) -> std::io::Result<()> {
    // Without boot ids, a power cut could go unnoticed.
    let Some(boot) = current_boot() else { return Ok(()) };
    let mut body = boot.to_vec();
    let mut is_new = false;
    for entry in files.table.all().iter() {
        let (path, Some(known)) = (entry.path().as_str(), entry.known()) else { continue };
        if let (Some(signature), FileState::File { blob, .. }, true) =
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
    path.replace_by(&[HEAD, checksum.as_bytes(), &body])
}

fn encode(body: &mut Vec<u8>, path: &str, signature: &Signature, blob: &BlobDigest) {
    signature.put(body);
    blob.put(body);
    u32::try_from(path.len()).unwrap_or(u32::MAX).put(body);
    body.extend_from_slice(path.as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_written_in_another_boot_are_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let place = ConfinedPath::top(dir.path()).unwrap().join("files");
        let (signature, blob) = (Signature::default(), BlobDigest::of(b"x"));
        let mut body = current_boot().unwrap().to_vec();
        encode(&mut body, "a/b", &signature, &blob);
        let put = |body: &[u8]| {
            place.replace_by(&[HEAD, blake3::hash(body).as_bytes(), body]).unwrap();
        };
        put(&body);
        let known = read(&place).unwrap();
        assert_eq!(known.get("a/b"), Some(&(signature, blob)));
        body[0] ^= 1;
        put(&body);
        assert_eq!(read(&place), None);
    }
}
