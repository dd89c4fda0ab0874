//! Records in packs: of living, ended and killed processes.

use std::fs;
use std::path::{Path, PathBuf};

use wake_model::ActionDigest;
use wake_store::{GcOptions, Lookup, Store};

use crate::world::{World, action, child, packed_in, packs, put, put_with_log, told};

const STORE: &str = "WAKE_TEST_STORE";
const ACTIONS: u64 = 6;

fn has(store: &Store, number: u64) -> bool {
    match store.action(&action(number).digest()).unwrap() {
        Lookup::Hit(_) => true,
        Lookup::Miss => false,
        Lookup::Corrupt(corruption) => panic!("{number}: {corruption}"),
    }
}

fn put_numbered(store: &Store, number: u64) -> ActionDigest {
    put(store, number, &[("f", &number.to_le_bytes())]).0
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn cut_off() {
    let store = Store::open(told(STORE).as_ref()).unwrap();
    for number in 0..ACTIONS {
        put_numbered(&store, number);
    }
    // Nothing is dropped, as if it were killed.
    std::process::abort();
}

/// Returns a store with the pack of a process that was killed after storing the first actions.
fn after_a_kill() -> (World, PathBuf) {
    let world = World::new();
    let mut process = child("packs::cut_off");
    process.env(STORE, world.store.root()).stdout(std::process::Stdio::null());
    assert!(!process.status().unwrap().success());
    let [pack] = &packs(world.store.root())[..] else { panic!("one process, one pack") };
    (world, pack.clone())
}

#[test]
fn a_record_is_visible_at_once_and_after_its_process_ends() {
    let world = World::new();
    let other = Store::open(world.store.root()).unwrap();
    for number in 0..50 {
        assert!(!has(&other, number));
        put_numbered(&world.store, number);
        assert!(has(&other, number), "{number}");
        put_numbered(&other, 100 + number);
        assert!(has(&world.store, 100 + number), "{number}");
    }
    drop(world.store);
    assert!((0..50).all(|number| has(&other, number)));
    drop(other);
    let later = Store::open(&world.dir.path().join("store")).unwrap();
    assert!((0..50).all(|number| has(&later, number) && has(&later, 100 + number)));
}

#[test]
fn concurrent_readers_all_find_a_new_record() {
    const THREADS: u64 = 8;
    let world = World::new();
    for number in 0..THREADS {
        put_numbered(&world.store, number);
    }
    for round in 0..200 {
        let store = Store::open(world.store.root()).unwrap();
        let together = std::sync::Barrier::new(THREADS as usize);
        let find = &|number| {
            together.wait();
            has(&store, number)
        };
        let found: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|number| scope.spawn(move || find(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(found, [true; THREADS as usize], "round {round}");
    }
}

#[test]
fn a_record_removed_and_stored_again_is_found() {
    let world = World::new();
    let (digest, tree) = world.put(1, &[("f", b"x")]);
    let other = Store::open(world.store.root()).unwrap();
    assert!(other.action(&digest).unwrap().hit().is_some());
    crate::world::unlock(&world.place("tree", &tree));
    fs::remove_dir_all(world.place("tree", &tree)).unwrap();
    assert_eq!(other.action(&digest).unwrap(), Lookup::Miss);
    put(&other, 1, &[("f", b"x")]);
    assert!(world.lookup(&digest).hit().is_some());
}

#[test]
fn f1_records_of_a_killed_process_are_found() {
    let (world, pack) = after_a_kill();
    assert!((0..ACTIONS).all(|number| has(&world.store, number)));
    // The next process that writes finishes it; a third finds everything.
    let before = pack.metadata().unwrap().len();
    put_numbered(&world.store, 100);
    assert!(pack.metadata().unwrap().len() > before);
    let later = Store::open(world.store.root()).unwrap();
    assert!((0..ACTIONS).chain([100]).all(|number| has(&later, number)));
}

/// Bytes that did not reach the disk are missing at the end, or zeros.
#[test]
fn f2_a_torn_end_of_a_pack_loses_only_its_records() {
    let (world, pack) = after_a_kill();
    let bytes = fs::read(&pack).unwrap();
    let records = packed_in(world.store.root());
    assert_eq!(records.len() as u64, ACTIONS);
    for left in (0..bytes.len()).step_by(31).chain([bytes.len() - 1]) {
        let mut zeros = bytes[..left].to_vec();
        zeros.resize(bytes.len(), 0);
        for torn in [&bytes[..left], &zeros] {
            fs::write(&pack, torn).unwrap();
            let store = Store::open(world.store.root()).unwrap();
            for number in 0..ACTIONS {
                let digest = action(number).digest();
                let place = records.iter().find(|record| record.key == *digest.0.as_bytes());
                let found = store.action(&digest).unwrap();
                // If its beginning exists, its former existence may be detected, but nothing more.
                let whole = place.unwrap().record.end <= left;
                assert_eq!(found.hit().is_some(), whole, "{number} of {left}");
            }
            // A torn end is cut off, and what comes next is found after it.
            put_numbered(&store, 100);
            drop(store);
            let store = Store::open(world.store.root()).unwrap();
            assert!(has(&store, 100));
            for other in packs(world.store.root()).iter().filter(|other| **other != pack) {
                fs::remove_file(other).unwrap();
            }
        }
    }
}

/// A log is stored unchanged in a record: wherever the pack is torn, what a command wrote is not taken for a part of
/// it.
#[test]
fn c6_pack_data_in_a_log_is_not_trusted() {
    let elsewhere = World::new();
    let (forged, _) = elsewhere.put(1, &[("f", b"forged")]);
    let finished = elsewhere.packed(&forged).pack;
    drop(elsewhere.store);
    let log = fs::read(finished).unwrap();
    assert!(log.len() <= 4096);

    let world = World::new();
    let (digest, _) = put_with_log(&world.store, 2, &[("f", b"mine")], &log);
    let packed = world.packed(&digest);
    let root = world.store.root().to_owned();
    drop(world.store);
    let bytes = fs::read(&packed.pack).unwrap();
    let at = packed.record.clone();
    let lies_at = bytes.windows(log.len()).position(|window| window == log).unwrap();
    assert!(at.contains(&lies_at));
    for left in (0..=bytes.len()).filter(|left| left % 5 == 0 || *left == lies_at + log.len()) {
        fs::write(&packed.pack, &bytes[..left]).unwrap();
        let store = Store::open(&root).unwrap();
        assert_eq!(store.action(&forged).unwrap(), Lookup::Miss, "{left}");
    }
}

#[test]
fn small_packs_are_merged() {
    let world = World::new();
    let root = world.store.root();
    for number in 0..100 {
        let store = Store::open(root).unwrap();
        put_numbered(&store, number);
        assert!(packs(root).len() <= 10, "{number}");
    }
    let store = Store::open(root).unwrap();
    assert!((0..100).all(|number| has(&store, number)));
    assert_eq!(packed_in(root).len(), 100);
    let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!((report.actions, report.corrupt.len()), (100, 0));
}

#[test]
fn the_latest_record_counts_in_whichever_pack() {
    let world = World::new();
    let root = world.store.root();
    let mut latest = None;
    for number in 0..30u64 {
        let store = Store::open(root).unwrap();
        let (digest, tree) = put(&store, 1, &[("f", &number.to_le_bytes())]);
        assert_eq!(store.action(&digest).unwrap().hit().unwrap().tree(), tree);
        latest = Some((digest, tree));
    }
    let (digest, tree) = latest.unwrap();
    assert_eq!(Store::open(root).unwrap().action(&digest).unwrap().hit().unwrap().tree(), tree);
}

#[test]
fn a_reader_follows_packs_merged_meanwhile() {
    let world = World::new();
    let root = world.store.root();
    let reader = Store::open(root).unwrap();
    for number in 0..40 {
        put_numbered(&Store::open(root).unwrap(), number);
        assert!((0..=number).all(|number| has(&reader, number)), "{number}");
    }
}

#[test]
fn foreign_files_among_packs_do_no_harm_and_are_collected() {
    let world = World::new();
    let dir = world.store.root().join("action");
    fs::create_dir_all(dir.join("ab")).unwrap();
    fs::write(dir.join("ab").join("ab".repeat(32)), "of the former format").unwrap();
    fs::create_dir(dir.join("directory.pack")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.join("link.pack")).unwrap();
    for (name, bytes) in [("empty", &b""[..]), ("short", b"wakepck1"), ("zeros", &[0; 500])] {
        fs::write(dir.join(name).with_extension("pack"), bytes).unwrap();
    }
    put_numbered(&world.store, 1);
    assert!(has(&Store::open(world.store.root()).unwrap(), 1));
    let all = GcOptions { max_size: Some(u64::MAX), ..GcOptions::default() };
    world.store.gc(&all, &mut |_| {}).unwrap();
    assert_eq!(packs(world.store.root()).len(), 1);
    assert!(has(&world.store, 1));
}

/// The bytes of `spec/store-layout.md`, constructed by hand; the record's own check is up to its writer.
#[test]
fn a_pack_has_the_bytes_of_the_specification() {
    let world = World::new();
    let digest = put_numbered(&world.store, 1);
    let packed = world.packed(&digest);
    drop(world.store);
    let bytes = fs::read(&packed.pack).unwrap();
    let salt: [u8; 32] = bytes[8..40].try_into().unwrap();
    let check = |bytes: &[u8]| blake3::keyed_hash(&salt, bytes).as_bytes()[..8].to_vec();
    let record = &bytes[packed.record.clone()];
    let written = &bytes[88..96];

    let mut slot = digest.0.as_bytes().to_vec();
    slot.extend(40u64.to_le_bytes());
    slot.extend((record.len() as u64).to_le_bytes());
    slot.extend(written);
    slot.extend(check(&slot));
    let mut trailer = b"wakeidx1".to_vec();
    trailer.extend((40 + 72 + record.len() as u64).to_le_bytes());
    trailer.extend(1u64.to_le_bytes());
    trailer.extend(check(&trailer));
    let parts: [&[u8]; 7] = [b"wakepck1", &salt, &slot, written, record, &slot, &trailer];
    assert_eq!(bytes, parts.concat());
    assert!(Path::new(&packed.pack).starts_with(world.dir.path()));
}
