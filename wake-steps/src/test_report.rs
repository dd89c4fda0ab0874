//! What a test says became of its cases: a file that it left, kept beside its result, also where it failed.
//!
//! The bytes are a blob of the store; which one it is stands in the memo, under the key of the action. They are nothing but the test's
//! word: nothing is built from them, and where they are gone, nobody knows of cases.

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{ActionDigest, BlobDigest, Digest};
use wake_store::{Store, StoreError};

/// What a test left as the report of its cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestReport {
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
    /// Something that was not read, and why.
    Unread(String),
}

/// What the memo says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    None,
    Blob(String),
    Unread(String),
}

/// Keeps what the last run of the action `key` left.
pub(crate) fn keep(
    store: &Store,
    key: &ActionDigest,
    report: Option<&Result<Vec<u8>, String>>,
) -> Result<(), StoreError> {
    let name = name(key);
    let kept = match report {
        Some(Ok(bytes)) => Kept::Blob(store.put_blob(bytes)?.to_string()),
        Some(Err(why)) => Kept::Unread(why.clone()),
        None if store.memo().get(&name).is_none() => return Ok(()),
        None => Kept::None,
    };
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        store.memo().put(name, bytes);
    }
    Ok(())
}

/// What the last run of the action `key` left; none if it left nothing, or nothing is known of it any more.
pub fn test_report(store: &Store, key: &ActionDigest) -> Option<TestReport> {
    match serde_json::from_slice(&store.memo().get(&name(key))?).ok()? {
        Kept::None => None,
        Kept::Unread(why) => Some(TestReport::Unread(why)),
        Kept::Blob(digest) => {
            let digest: BlobDigest = digest.parse().ok()?;
            store.blob(&digest).ok()?.map(TestReport::Bytes)
        }
    }
}

fn name(key: &ActionDigest) -> Digest {
    digest_of(Domain::Record, |e| {
        e.list(2);
        e.text("test report");
        e.text(&key.to_string());
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_word_of_each_action_counts() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let key = |byte| ActionDigest(Digest::from_bytes([byte; 32]));
        assert_eq!(test_report(&store, &key(1)), None);
        keep(&store, &key(1), None).unwrap();
        assert_eq!(test_report(&store, &key(1)), None);
        keep(&store, &key(1), Some(&Ok(b"one".to_vec()))).unwrap();
        keep(&store, &key(2), Some(&Err("is no file".to_owned()))).unwrap();
        store.flush_memo().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        assert_eq!(test_report(&store, &key(1)), Some(TestReport::Bytes(b"one".to_vec())));
        assert_eq!(test_report(&store, &key(2)), Some(TestReport::Unread("is no file".to_owned())));
        keep(&store, &key(1), None).unwrap();
        assert_eq!(test_report(&store, &key(1)), None);
    }
}
