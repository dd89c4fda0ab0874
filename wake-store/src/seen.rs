//! The last seen state of remote files that may only grow, so that a truncated or rewritten one is detected.

use std::fs;
use std::path::PathBuf;

use wake_model::{BlobDigest, RelPath};

use crate::error::{At, StoreError, optional};
use crate::open::Store;
use crate::publish::{Durability, publish_file};
use crate::removal::remove_tree;

const HEAD: &str = "wake-seen 1 ";
/// The digits of an address's digest that name its directory.
const DIGITS: usize = 32;

/// The last seen state of a file that may only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The server's ETag of that state.
    pub tag: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Returns the last seen state of `name` at `address`; none if there is none, or if it is damaged.
    pub fn seen(&self, address: &str, name: &RelPath) -> Result<Option<Seen>, StoreError> {
        let place = self.seen_dir(address).join(name.as_str());
        let bytes = optional(fs::read(&place).at(&place))?;
        Ok(bytes.and_then(|bytes| decode(&bytes)))
    }

    /// Stores the seen state of `name` at `address`.
    pub fn keep_seen(&self, address: &str, name: &RelPath, seen: &Seen) -> Result<(), StoreError> {
        let place = self.seen_dir(address).join(name.as_str());
        publish_file(&*self.session()?, &place, &encode(seen), Durability::Noticed)
    }

    /// Forgets everything seen at `address`; returns whether there was anything.
    pub fn forget_seen(&self, address: &str) -> Result<bool, StoreError> {
        let dir = self.seen_dir(address);
        let is_there = optional(fs::symlink_metadata(&dir).at(&dir))?.is_some();
        if is_there {
            remove_tree(&dir)?;
        }
        Ok(is_there)
    }

    pub(crate) fn seen_dir(&self, address: &str) -> PathBuf {
        let digest = BlobDigest::of(address.as_bytes()).0;
        self.layout().registries.join(digest.short(DIGITS))
    }
}

/// `wake-seen 1 CHECK`, the ETag, the content: the check covers everything after its line.
fn encode(seen: &Seen) -> Vec<u8> {
    let tag = seen.tag.as_deref().filter(|tag| !tag.contains('\n')).unwrap_or_default();
    let rest = [tag.as_bytes(), b"\n", &seen.bytes].concat();
    let head = format!("{HEAD}{}\n", BlobDigest::of(&rest));
    [head.as_bytes(), &rest].concat()
}

fn decode(bytes: &[u8]) -> Option<Seen> {
    let (head, rest) = split_line(bytes)?;
    let check = std::str::from_utf8(head).ok()?.strip_prefix(HEAD)?;
    if check != BlobDigest::of(rest).to_string() {
        return None;
    }
    let (tag, bytes) = split_line(rest)?;
    let tag = String::from_utf8(tag.to_vec()).ok()?;
    Some(Seen { tag: (!tag.is_empty()).then_some(tag), bytes: bytes.to_vec() })
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn truncated_and_altered_entries_are_ignored() {
        let seen = Seen { tag: Some("\"a\"".to_owned()), bytes: b"1\n2\n".to_vec() };
        let bytes = encode(&seen);
        assert_eq!(decode(&bytes), Some(seen));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(decode(&altered), None, "{at}");
        }
    }

    #[test]
    fn each_address_has_its_own_entry() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let name = RelPath::parse("acme/greet.jsonl").unwrap();
        let seen = Seen { tag: None, bytes: b"x\n".to_vec() };
        assert_eq!(store.seen("file:///a", &name).unwrap(), None);
        store.keep_seen("file:///a", &name, &seen).unwrap();
        assert_eq!(store.seen("file:///a", &name).unwrap(), Some(seen));
        assert_eq!(store.seen("file:///b", &name).unwrap(), None);
        assert!(store.forget_seen("file:///a").unwrap());
        assert!(!store.forget_seen("file:///a").unwrap());
        assert_eq!(store.seen("file:///a", &name).unwrap(), None);
    }
}
