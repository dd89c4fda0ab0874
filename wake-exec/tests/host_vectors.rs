//! Runs the vectors of `spec/vectors/host.json`: the identity of a host, computed from its files.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use wake_exec::HostIdentity;

/// Computed only for this processor's architecture; the other vectors differ only in its name.
#[test]
fn hosts_have_the_identities_of_the_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/host.json");
    let content: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let here = |case: &&Value| case["arch"] == std::env::consts::ARCH;
    let cases: Vec<_> = content["cases"].as_array().unwrap().iter().filter(here).collect();
    if cases.is_empty() {
        wake_tests::skipped(
            "hosts_have_the_identities_of_the_vectors",
            &format!("no vector is for {}", std::env::consts::ARCH),
        );
    }
    for case in cases {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in case["files"].as_object().unwrap() {
            put(&root.path().join(path), text.as_str().unwrap());
        }
        for (path, names) in case["listings"].as_object().unwrap() {
            fs::create_dir_all(root.path().join(path)).unwrap();
            for name in names.as_array().unwrap() {
                put(&root.path().join(path).join(name.as_str().unwrap()), "");
            }
        }
        for (path, shown) in case["etc"].as_object().unwrap() {
            let place = root.path().join("etc").join(path);
            match shown["link"].as_str() {
                Some(target) => link(&place, target),
                None => put(&place, shown["file"].as_str().unwrap()),
            }
        }
        let found = HostIdentity::read_below(root.path()).unwrap();
        assert_eq!(found.digest.to_string(), case["digest"], "{}", case["name"]);
    }
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn link(path: &Path, target: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// A name, and a modification of a system in a directory.
type Change = (&'static str, fn(&Path));

/// Modifications of a system in a directory, by name.
const CHANGES: [Change; 6] = [
    ("an alternative", |root| {
        fs::remove_file(root.join("etc/alternatives/cc")).unwrap();
        link(&root.join("etc/alternatives/cc"), "/usr/bin/clang");
    }),
    ("the database", |root| put(&root.join("var/lib/dpkg/status"), "Package: libc7\n")),
    ("another database", |root| put(&root.join("lib/apk/db/installed"), "")),
    ("a file of as many bytes", |root| put(&root.join("etc/ssl/openssl.cnf"), "y")),
    ("a new file", |root| put(&root.join("etc/ssl/new"), "")),
    ("a new directory", |root| put(&root.join("etc/java-21/new"), "")),
];

#[test]
fn the_proof_of_an_identity_holds_until_a_change() {
    let roots = CHANGES.map(|change| (tempfile::tempdir().unwrap(), change));
    for (root, _) in &roots {
        put(&root.path().join("var/lib/dpkg/status"), "Package: libc6\n");
        put(&root.path().join("etc/ssl/openssl.cnf"), "x");
        link(&root.path().join("etc/alternatives/cc"), "/usr/bin/gcc");
        // A file that changed a moment ago could change once more undetected.
        assert_eq!(HostIdentity::read_below(root.path()).unwrap().proof, None);
    }
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for (root, (name, change)) in &roots {
        let before = HostIdentity::read_below(root.path()).unwrap();
        let proof = before.proof.unwrap();
        assert!(proof.holds_below(root.path()), "before {name}");
        change(root.path());
        assert!(!proof.holds_below(root.path()), "{name}");
        assert_ne!(HostIdentity::read_below(root.path()).unwrap().digest, before.digest, "{name}");
    }
}
