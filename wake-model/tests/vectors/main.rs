//! Runs the vectors of `spec/vectors`, which an independent implementation computed.
//!
//! That implementation is `spec/reference/wake_encoding.py`; `spec/encoding.md` describes the files of vectors.

#![allow(clippy::unwrap_used)]

mod file;
mod read_action;
mod token_tree;

use std::collections::BTreeMap;

use file::{Case, cases, digest, hex, text};
use serde_json::{Value, json};
use token_tree::TokenTree;
use wake_model::encode::{Domain, digest_bytes, digest_of};
use wake_model::{
    Action, BlobDigest, Lock, Manifest, Node, PkgDigest, PkgIdentity, PkgInfo, RelPath, Release,
    json,
};

/// The context strings that vectors may use: those of everything that is hashed today.
const DOMAINS: [Domain; 6] =
    [Domain::Tree, Domain::Pkg, Domain::Action, Domain::Value, Domain::Host, Domain::Evaluation];

#[test]
fn every_file_of_vectors_is_run() {
    let run = [
        "action",
        "archive",
        // Tested by `wake-registry`.
        "attestation",
        "blob",
        // Tested by `wake-buffer`.
        "buffer",
        "evaluation",
        // Tested by `wake-codespec`.
        "expansion",
        // Tested by `wake-registry`.
        "head",
        "host",
        // Tested by `wake-velocity`.
        "image_build",
        "json",
        "listing",
        "lock",
        // Tested by `wake-registry`.
        "manifest",
        "memo",
        "pkg",
        "refused",
        "release",
        // Tested by `wake-build`.
        "retrievers",
        "run_record",
        "tree",
        "value",
    ];
    assert_eq!(file::names(), run);
}

#[test]
fn keys_of_the_memo() {
    for case in cases("memo") {
        let words = case["words"].as_array().unwrap();
        let key = digest_of(Domain::Record, |encoder| {
            encoder.list(words.len());
            words.iter().for_each(|word| encoder.text(text(word)));
        });
        assert_eq!(key, digest(&case["digest"]), "{}", case.name());
    }
}

#[test]
fn locks() {
    for case in cases("lock") {
        let (name, read) = (case.name(), Lock::parse(text(&case["text"])));
        match &read {
            Ok(lock) => {
                let written: Vec<Value> =
                    lock.to_string().lines().skip(1).map(Value::from).collect();
                assert_eq!(Value::from(written), case["pkgs"], "{name}");
                assert_eq!(Lock::parse(&lock.to_string()), read, "{name}");
            }
            Err(error) => {
                let fault = json!([error.line, error.columns.start]);
                assert_eq!(fault, case["fault"], "{name}: {error}");
            }
        }
    }
}

/// The bytes are written in another crate.
#[test]
fn contents_of_archives() {
    for case in cases("archive") {
        let nodes = case["nodes"].as_object().unwrap().iter();
        let nodes = nodes.map(|(path, node)| (path.parse().unwrap(), tree_node(node)));
        let content = Manifest::new(nodes).unwrap().digest();
        assert_eq!(content.0, digest(&case["content"]), "{}", case.name());
    }
}

#[test]
fn releases() {
    for case in cases("release") {
        let release = Release::of(case["release"].clone()).unwrap();
        assert_eq!(release.text(), text(&case["text"]), "{}", case.name());
        assert_eq!(Release::parse(text(&case["text"])).unwrap(), release, "{}", case.name());
    }
}

#[test]
fn blobs() {
    for case in cases("blob") {
        let times = case["times"].as_u64().unwrap_or(1);
        let bytes = hex(&case["bytes"]).repeat(usize::try_from(times).unwrap());
        let found = match case["context"].as_str() {
            None => BlobDigest::of(&bytes).0,
            Some(context) => {
                let named = |domain: &Domain| domain.context() == context;
                digest_bytes(DOMAINS.into_iter().find(named).unwrap(), &bytes)
            }
        };
        assert_eq!(found, digest(&case["digest"]), "{}", case.name());
    }
}

#[test]
fn values() {
    for case in cases("value") {
        let value = TokenTree::of_vector(&case["value"]);
        assert_eq!(value.encode(), hex(&case["encoded"]), "{}", case.name());
        assert_eq!(TokenTree::decode(&value.encode()), Some(value), "{}", case.name());
    }
}

#[test]
fn refused_bytes() {
    for case in cases("refused") {
        assert_eq!(case["refused"], true, "{}", case.name());
        assert_eq!(TokenTree::decode(&hex(&case["encoded"])), None, "{}", case.name());
    }
}

#[test]
fn canonical_json() {
    for case in cases("json") {
        // Parsed as a number of any size would be: one that no double represents is rounded.
        let value: Value = serde_json::from_str(text(&case["json"])).unwrap();
        assert_eq!(json::canonical(&value), text(&case["canonical"]), "{}", case.name());
        assert_eq!(json::digest(&value).0, digest(&case["digest"]), "{}", case.name());
    }
}

#[test]
fn trees() {
    for case in cases("tree") {
        let nodes = case["nodes"].as_object().unwrap().iter();
        let nodes = nodes.map(|(path, node)| (path.parse().unwrap(), tree_node(node)));
        let manifest = Manifest::new(nodes).unwrap();
        assert_eq!(manifest.digest().0, digest(&case["digest"]), "{}", case.name());
        let found: BTreeMap<RelPath, _> =
            manifest.trees().1.iter().map(|(path, tree)| (path.clone(), tree.digest().0)).collect();
        let expected = case["trees"].as_object().unwrap().iter();
        let expected: BTreeMap<RelPath, _> =
            expected.map(|(path, tree)| (path.parse().unwrap(), digest(&tree["digest"]))).collect();
        assert_eq!(found, expected, "{}", case.name());
        for tree in case["trees"].as_object().unwrap().values() {
            assert_sealed(tree, Domain::Tree, case.name());
        }
    }
}

fn tree_node(node: &Value) -> Node {
    if node == "dir" {
        return Node::Dir;
    }
    if let Some(target) = node["link"].as_str() {
        return Node::Link { target: target.to_owned() };
    }
    let bytes = text(&node["file"]).as_bytes();
    Node::File {
        blob: BlobDigest::of(bytes),
        size: bytes.len() as u64,
        executable: node["executable"].as_bool().unwrap(),
    }
}

#[test]
fn pkgs() {
    for case in cases("pkg") {
        let pkg = &case["pkg"];
        let info = PkgInfo {
            name: text(&pkg["name"]).parse().unwrap(),
            version: text(&pkg["version"]).parse().unwrap(),
            namespace: pkg["namespace"].as_str().map(|name| name.parse().unwrap()),
        };
        let mut pkgs: Vec<_> = pkg["pkgs"].as_object().unwrap().iter().collect();
        pkgs.sort_by_key(|(key, _)| *key);
        let pkgs = pkgs.into_iter().map(|(key, pkg)| (key.clone(), PkgDigest(digest(pkg))));
        let files = wake_model::TreeDigest(digest(&pkg["files"]));
        let identity = PkgIdentity { info, files, pkgs: pkgs.collect() };
        assert_eq!(identity.digest().0, digest(&case["digest"]), "{}", case.name());
        assert_sealed(&case.0, Domain::Pkg, case.name());
    }
}

#[test]
fn actions() {
    for case in cases("action") {
        let action = read_action::action(&case);
        assert_eq!(action.encode(), hex(&case["encoded"]), "{}", case.name());
        assert_eq!(action.digest().0, digest(&case["digest"]), "{}", case.name());
        let fields = Action::decode_fields(&hex(&case["encoded"]));
        assert_eq!(fields, Ok(action.fields()), "{}", case.name());
    }
}

/// They are created in other crates; this tests that their bytes are an encoding with the given digest.
#[test]
fn hosts_and_evaluations() {
    for case in cases("host") {
        assert_sealed(&case.0, Domain::Host, case.name());
    }
    for case in cases("evaluation") {
        assert_sealed(&case["application"], Domain::Evaluation, case.name());
        assert_sealed(&case["result"], Domain::Evaluation, case.name());
    }
}

#[test]
fn listings() {
    for case in cases("listing") {
        let found = BlobDigest::of(&hex(&case["encoded"]));
        assert_eq!(found.0, digest(&case["digest"]), "{}", case.name());
    }
}

/// Checks that `sealed.encoded` is one value, and `sealed.digest` its digest.
fn assert_sealed(sealed: &Value, domain: Domain, name: &str) {
    let bytes = hex(&sealed["encoded"]);
    let value = TokenTree::decode(&bytes);
    assert_eq!(value.map(|value| value.encode()), Some(bytes.clone()), "{name}");
    assert_eq!(digest_bytes(domain, &bytes), digest(&sealed["digest"]), "{name}");
}

impl Case {
    fn name(&self) -> &str {
        text(&self.0["name"])
    }
}
