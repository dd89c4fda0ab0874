//! Simulates what a power cut may leave behind: tests only.
//!
//! After a cut, the inodes, sizes and times of a tree can be right although its bytes never reached the disk. The
//! effect on packs is tested from outside, in `tests/store/packs.rs`.
#![allow(clippy::unwrap_used)]

use std::fs;

use wake_model::encode::{Domain, digest_bytes};
use wake_model::{
    ActionDigest, BlobDigest, Manifest, Node, Outcome, RunRecord, SandboxLevel, Usage,
};

use crate::action::ActionEntry;
use crate::corruption::Lookup;
use crate::listing::Listing;
use crate::record_file::ActionFile;
use crate::stamps::Stamps;
use crate::{Logs, Store};

const EARLIER_BOOT: Option<[u8; 16]> = Some([1; 16]);

/// Returns a store with one action whose output is `bytes`.
fn store_with(bytes: &[u8]) -> (tempfile::TempDir, Store, ActionDigest) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let scratch = store.scratch().unwrap();
    fs::write(scratch.path().join("f"), bytes).unwrap();
    let (blob, size) = (BlobDigest::of(bytes), bytes.len() as u64);
    let node = Node::File { blob, size, executable: false };
    let outputs = Manifest::new([("f".parse().unwrap(), node)]).unwrap();
    let adopted = store.adopt_tree(scratch.path(), &outputs).unwrap();
    let record = RunRecord {
        guid: String::new(),
        started_ms: 0,
        outcome: Outcome::Exited(0),
        outputs,
        wares: Default::default(),
        stdout: None,
        stderr: None,
        usage: Usage::default(),
        sandbox: SandboxLevel::Strict,
    };
    let action = b"what a record keeps of its action, which nobody reads here";
    let digest = ActionDigest(digest_bytes(Domain::Action, action));
    let entry = ActionEntry {
        digest,
        action,
        record: &record,
        tree: adopted.tree,
        stamps: &adopted.stamps,
        logs: Logs::default(),
    };
    store.put_action(entry).unwrap();
    drop(scratch);
    (dir, store, digest)
}

fn file_of(store: &Store, digest: &ActionDigest) -> ActionFile {
    let packed = store.packs().find(&digest.0).unwrap().unwrap();
    ActionFile::decode(packed.bytes(), &digest.0).unwrap()
}

/// Makes the record claim that its stamps, which match the present tree, are from `boot`.
fn restamp(store: &Store, digest: &ActionDigest, boot: Option<[u8; 16]>, settled: bool) {
    let mut file = file_of(store, digest);
    let listing = Listing::read(&store.layout().tree(&file.tree)).unwrap();
    file.stamps = Stamps { boot, settled, ..Stamps::of(&listing) };
    store.write_action(digest, file.parts()).unwrap();
}

/// Changes bytes without changing anything that a new stamp records.
fn lose_bytes(store: &Store, digest: &ActionDigest) {
    let file = store.layout().tree(&file_of(store, digest).tree).join("f");
    let (metadata, bytes) = (file.metadata().unwrap(), fs::read(&file).unwrap());
    let mut permissions = metadata.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&file, permissions).unwrap();
    fs::write(&file, vec![0; bytes.len()]).unwrap();
    fs::set_permissions(&file, metadata.permissions()).unwrap();
    let times = fs::FileTimes::new().set_modified(metadata.modified().unwrap());
    fs::OpenOptions::new().read(true).open(&file).unwrap().set_times(times).unwrap();
}

#[test]
fn f2_bytes_lost_from_the_disk_are_noticed_after_reboot() {
    for boot in [EARLIER_BOOT, None] {
        let (_dir, store, digest) = store_with(b"important");
        lose_bytes(&store, &digest);
        restamp(&store, &digest, boot, false);
        assert!(matches!(store.action(&digest).unwrap(), Lookup::Corrupt(_)), "{boot:?}");
        assert_eq!(store.action(&digest).unwrap(), Lookup::Miss);
    }
}

#[test]
fn f2_bytes_on_the_disk_are_read_once_and_settled() {
    let (_dir, store, digest) = store_with(b"important");
    restamp(&store, &digest, EARLIER_BOOT, false);
    let found = store.action(&digest).unwrap().hit().unwrap();
    assert!(found.stamps().settled);
    assert_eq!(file_of(&store, &digest).stamps, *found.stamps());
    // In a third boot the stamps are trusted: if the bytes were read again, the record would be written again.
    restamp(&store, &digest, EARLIER_BOOT, true);
    assert!(store.action(&digest).unwrap().hit().is_some());
    assert_eq!(file_of(&store, &digest).stamps.boot, EARLIER_BOOT);
}

#[test]
fn reading_does_not_settle_stamps_of_this_boot() {
    let (_dir, store, digest) = store_with(b"important");
    let file = store.layout().tree(&file_of(&store, &digest).tree).join("f");
    let link = store.root().join("tmp/hard-link");
    // A hard link changes the change time, so the bytes are read; but they may never have left memory.
    fs::hard_link(file, link).unwrap();
    let found = store.action(&digest).unwrap().hit().unwrap();
    assert!(!found.stamps().settled);
}
