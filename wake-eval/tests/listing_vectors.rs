//! Runs the vectors of `spec/vectors/listing.json`: digests of directory listings.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::Value;
use wake_eval::{EntryKind, ListEntry, list_digest};

#[test]
fn listings_have_the_digests_of_the_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/listing.json");
    let content: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for case in content["cases"].as_array().unwrap() {
        let entries = case["entries"].as_object().unwrap().iter();
        // In reverse order of names, which the digest does not depend on.
        let entries: Vec<_> = entries.map(|(name, kind)| entry(name, kind)).rev().collect();
        assert_eq!(list_digest(&entries).to_string(), case["digest"], "{}", case["name"]);
    }
}

fn entry(name: &str, kind: &Value) -> ListEntry {
    let kind = match kind.as_str().unwrap() {
        "file" => EntryKind::File,
        "dir" => EntryKind::Dir,
        "link" => EntryKind::Link,
        "other" => EntryKind::Other,
        other => panic!("no kind of entry: {other}"),
    };
    ListEntry { name: name.to_owned(), kind }
}
