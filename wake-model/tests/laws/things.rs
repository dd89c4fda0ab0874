//! Test data with few different values of each kind, so that two of them are often equal.

use proptest::collection::btree_map;
use proptest::prelude::*;
use wake_model::{
    BlobDigest, Digest, Manifest, Name, Node, PkgDigest, RelPath, TreeDigest, Version,
};

/// Returns digests whose bytes are all the same.
pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    (0..3u8).prop_map(|byte| Digest::from_bytes([byte; 32]))
}

pub(crate) fn blob() -> impl Strategy<Value = BlobDigest> {
    digest().prop_map(BlobDigest)
}

pub(crate) fn tree_digest() -> impl Strategy<Value = TreeDigest> {
    digest().prop_map(TreeDigest)
}

pub(crate) fn pkg_digest() -> impl Strategy<Value = PkgDigest> {
    digest().prop_map(PkgDigest)
}

/// Returns texts that may be empty, look like framing, or have more bytes than characters.
pub(crate) fn short_text() -> impl Strategy<Value = String> {
    "[ab=./ \u{0}\u{4}é]{0,3}"
}

/// Returns one to three components, some of which sort differently as paths and as names.
pub(crate) fn path() -> impl Strategy<Value = RelPath> {
    "[ab](-|\\.x|é)?(/[ab](-|\\.x)?){0,2}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[a-z0-9][a-z0-9_-]{0,9}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn version() -> impl Strategy<Value = Version> {
    "[0-2]\\.[0-9]\\.(0|1[0-9])(-rc\\.[1-9])?(\\+[a-z0-9]{1,3})?"
        .prop_map(|text| text.parse().unwrap())
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        (blob(), any::<bool>()).prop_map(|(blob, executable)| Node::File {
            blob,
            size: 3,
            executable
        }),
        Just(Node::Dir),
        short_text().prop_map(|target| Node::Link { target }),
    ]
}

/// Returns trees of at most six nodes.
pub(crate) fn manifest() -> impl Strategy<Value = Manifest> {
    btree_map(path(), node(), 0..6)
        .prop_filter_map("a file is also a directory", |nodes| Manifest::new(nodes).ok())
}
