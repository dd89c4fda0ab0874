//! What a test reports about its cases: a file kept beside its result, even if it fails.
//!
//! The content is a blob of the store; the memo has its digest under the key of the action. It is only the test's word:
//! nothing is built from it, and if it is gone, the cases are unknown.

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{ActionDigest, BlobDigest, Digest};
use wake_store::{Store, StoreError};

/// The report of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestReport {
    /// Its content, whatever that is.
    Bytes(Vec<u8>),
    /// A report that could not be read, and why.
    Unread(String),
}

/// What the memo stores.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    None,
    Blob(String),
    Unread(String),
}

/// Stores the report of the last run of the action `key`.
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

/// Returns the report of the last run of the action `key`; none if there was none, or it is gone.
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
    fn the_last_report_of_each_action_counts() {
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
