//! The action cache.

use std::fs;
use std::time::Duration;

use wake_model::{Action, ActionDigest, Digest, Manifest};
use wake_store::{ActionEntry, Log, Logs, Lookup, Store};

use crate::world::{World, action, adopt, put_with_log, record};

#[test]
fn an_action_is_read_back_complete_from_a_reopened_store() {
    let world = World::new();
    let files: &[(&str, &[u8])] =
        &[("bin/tool*", b"#!"), ("empty/", b""), ("link@", b"bin/tool"), ("data", b"x")];
    let (digest, tree) = put_with_log(&world.store, 7, files, b"hello\n");
    let other = Store::open(world.store.root()).unwrap();
    let Lookup::Hit(found) = other.action(&digest).unwrap() else { panic!("not there") };
    let (manifest, _) = adopt(&world.store, files);
    assert_eq!(*found.record(), record(manifest, b"hello\n"));
    assert_eq!(found.tree(), tree);
    assert_eq!(Action::decode_fields(found.action()).unwrap(), action(7).fields());
    assert_eq!(other.log(&found, Log::Stdout).unwrap().unwrap(), b"hello\n");
    assert_eq!(other.log(&found, Log::Stderr).unwrap(), None);
}

#[test]
fn an_unknown_action_is_a_miss() {
    let world = World::new();
    let unknown = ActionDigest(Digest::from_bytes([1; 32]));
    assert_eq!(world.lookup(&unknown), Lookup::Miss);
}

#[test]
fn a_long_log_is_stored_beside_the_record() {
    let world = World::new();
    for size in [4096, 4097, 1 << 20] {
        let log = vec![b'x'; size];
        let (digest, _) = put_with_log(&world.store, size as u64, &[], &log);
        let Lookup::Hit(found) = world.lookup(&digest) else { panic!("not there") };
        assert_eq!(world.store.log(&found, Log::Stdout).unwrap().unwrap(), log);
        let blob = world.store.blob(&wake_model::BlobDigest::of(&log)).unwrap();
        assert_eq!(blob.is_some(), size > 4096);
    }
}

#[test]
fn the_last_record_of_an_action_counts() {
    let world = World::new();
    let (digest, first) = world.put(1, &[("f", b"one")]);
    let (again, second) = world.put(1, &[("f", b"two")]);
    assert_eq!(digest, again);
    assert_ne!(first, second);
    assert_eq!(world.lookup(&digest).hit().unwrap().tree(), second);
}

#[test]
fn all_actions_of_a_process_share_one_pack() {
    let world = World::new();
    world.put(1, &[("a", b"1"), ("b", b"2")]);
    world.put(2, &[("c", b"3")]);
    world.put(3, &[("d", b"4")]);
    let mut files = 0;
    let mut open = vec![world.store.root().to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => files += 1,
            }
        }
    }
    // Those of every store: format, gate, lock.
    assert_eq!(files, 3 + 4 + 1);
}

#[test]
fn an_action_without_its_tree_is_a_miss_and_removed() {
    let world = World::new();
    let (digest, tree) = world.put(1, &[]);
    fs::remove_dir(world.place("tree", &tree)).unwrap();
    assert_eq!(world.lookup(&digest), Lookup::Miss);
    assert!(world.store.action_record(&digest).unwrap().is_none());
    let other = Store::open(world.store.root()).unwrap();
    assert!(other.action_record(&digest).unwrap().is_none());
}

#[test]
fn a_use_is_recorded_once_a_day() {
    let world = World::new();
    let (digest, _) = world.put(1, &[]);
    let packed = world.packed(&digest);
    packed.set_age(Duration::from_secs(3600));
    let before = packed.used();
    assert!(world.lookup(&digest).hit().is_some());
    assert_eq!(packed.used(), before);
    packed.set_age(Duration::from_secs(25 * 3600));
    let before = packed.used();
    assert!(world.lookup(&digest).hit().is_some());
    assert!(packed.used() > before);
}

#[test]
fn threads_put_and_get_the_same_actions() {
    let world = World::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..40 {
                    let text = (number / 2).to_string();
                    let (digest, tree) = world.put(number, &[("f", text.as_bytes())]);
                    assert_eq!(world.lookup(&digest).hit().unwrap().tree(), tree);
                }
            });
        }
    });
    let report = world.store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!((report.trees, report.actions, report.corrupt.len()), (20, 40, 0));
}

#[test]
fn a_manifest_of_thousands_of_paths_is_read_back() {
    let world = World::new();
    let names: Vec<String> = (0..2000).map(|n| format!("d{}/f{n}", n % 7)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, name.as_bytes())).collect();
    let (digest, tree) = world.put(1, &files);
    let found = world.lookup(&digest).hit().unwrap();
    assert_eq!(found.record().outputs.digest(), tree);
    assert_eq!(found.record().outputs.len(), 2000);
}

#[test]
fn a_record_may_have_no_outputs() {
    let world = World::new();
    let action = action(1);
    let (manifest, adopted) = adopt(&world.store, &[]);
    assert_eq!(manifest, Manifest::default());
    let entry = ActionEntry {
        digest: action.digest(),
        action: &action.encode(),
        record: &record(manifest, b""),
        tree: adopted.tree,
        stamps: &adopted.stamps,
        logs: Logs::default(),
    };
    world.store.put_action(entry).unwrap();
    assert!(world.lookup(&action.digest()).hit().is_some());
}

#[test]
fn c6_an_action_stored_under_another_key_is_not_trusted() {
    let world = World::new();
    let (manifest, adopted) = adopt(&world.store, &[("f", b"x")]);
    let entry = ActionEntry {
        digest: action(2).digest(),
        action: &action(1).encode(),
        record: &record(manifest, b""),
        tree: adopted.tree,
        stamps: &adopted.stamps,
        logs: Logs::default(),
    };
    world.store.put_action(entry).unwrap();
    assert!(matches!(world.lookup(&action(2).digest()), Lookup::Corrupt(_)));
}
