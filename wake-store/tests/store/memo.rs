//! Small values by digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use wake_model::{BlobDigest, Digest};
use wake_store::Store;

use crate::world::World;

fn key(number: u64) -> Digest {
    BlobDigest::of(&number.to_le_bytes()).0
}

fn value(number: u64) -> Vec<u8> {
    vec![number as u8; (number % 300) as usize]
}

fn segments(store: &Store) -> Vec<PathBuf> {
    let dir = store.root().join("memo");
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn reopened(world: &World) -> Store {
    Store::open(world.store.root()).unwrap()
}

#[test]
fn values_are_found_before_and_after_they_are_written() {
    let world = World::new();
    let memo = world.store.memo();
    for number in 0..2000 {
        memo.put(key(number), value(number));
    }
    let check = |store: &Store| {
        for number in 0..2000 {
            assert_eq!(store.memo().get(&key(number)), Some(value(number)), "{number}");
        }
        for number in 2000..2100 {
            assert_eq!(store.memo().get(&key(number)), None, "{number}");
        }
    };
    check(&world.store);
    assert!(memo.pending_bytes() > 0);
    world.store.flush_memo().unwrap();
    assert_eq!(memo.pending_bytes(), 0);
    check(&world.store);
    check(&reopened(&world));
    world.store.flush_memo().unwrap();
    assert_eq!(segments(&world.store).len(), 1);
}

#[test]
fn any_key_is_found_with_one_lookup() {
    let world = World::new();
    for number in 0..5000 {
        world.store.memo().put(key(number), value(number));
    }
    world.store.flush_memo().unwrap();
    for number in (0..5100).step_by(50) {
        let expected = (number < 5000).then(|| value(number));
        assert_eq!(reopened(&world).memo().get(&key(number)), expected, "{number}");
    }
}

#[test]
fn unevenly_distributed_keys_are_found() {
    let world = World::new();
    let crowded = |number: u16| {
        let mut bytes = [7; 32];
        bytes[30..].copy_from_slice(&number.to_be_bytes());
        Digest::from_bytes(bytes)
    };
    for number in 0..3000 {
        world.store.memo().put(crowded(number), number.to_be_bytes().to_vec());
    }
    world.store.flush_memo().unwrap();
    for number in (0..3000).step_by(111) {
        let found = reopened(&world).memo().get(&crowded(number));
        assert_eq!(found, Some(number.to_be_bytes().to_vec()));
    }
    assert_eq!(reopened(&world).memo().get(&Digest::from_bytes([6; 32])), None);
    assert_eq!(reopened(&world).memo().get(&Digest::from_bytes([8; 32])), None);
}

#[test]
fn segments_are_merged_and_the_newest_value_counts() {
    let world = World::new();
    let mut expected = BTreeMap::new();
    for round in 0..40u64 {
        for number in [round, round + 1, 1000] {
            world.store.memo().put(key(number), value(round * 7));
            expected.insert(number, value(round * 7));
        }
        world.store.flush_memo().unwrap();
        assert!(segments(&world.store).len() <= 9, "{round}");
    }
    for store in [&world.store, &reopened(&world)] {
        for (number, value) in &expected {
            assert_eq!(store.memo().get(&key(*number)).as_ref(), Some(value), "{number}");
        }
    }
}

#[test]
fn an_altered_segment_never_gives_a_wrong_value() {
    let world = World::new();
    let numbers = [1, 2, 3, 40];
    for number in numbers {
        world.store.memo().put(key(number), value(number));
    }
    world.store.flush_memo().unwrap();
    let file = segments(&world.store).pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    let check = |what: String| {
        let store = reopened(&world);
        for number in numbers {
            let found = store.memo().get(&key(number));
            assert!(found.is_none_or(|found| found == value(number)), "{what}");
        }
    };
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x81;
        fs::write(&file, &altered).unwrap();
        check(format!("byte {at}"));
    }
    for length in 0..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        check(format!("length {length}"));
    }
    let report = world.store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!((report.segments, report.corrupt.len()), (1, 1));
    assert!(segments(&world.store).is_empty());
}

#[test]
fn a_segment_may_be_removed_while_it_is_read() {
    let world = World::new();
    world.store.memo().put(key(1), value(1));
    world.store.flush_memo().unwrap();
    let reader = reopened(&world);
    assert_eq!(reader.memo().get(&key(1)), Some(value(1)));
    fs::remove_dir_all(world.store.root().join("memo")).unwrap();
    assert_eq!(reader.memo().get(&key(1)), Some(value(1)));
    assert_eq!(reopened(&world).memo().get(&key(1)), None);
    reader.memo().put(key(2), value(2));
    reader.flush_memo().unwrap();
    assert_eq!(reopened(&world).memo().get(&key(2)), Some(value(2)));
}
