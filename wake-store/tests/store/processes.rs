//! Many processes on one store, and processes that are killed.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use wake_model::BlobDigest;
use wake_store::{GcOptions, Lookup, Store};

use crate::world::{action, child, put, told};

const STORE: &str = "WAKE_TEST_STORE";
const OFFSET: &str = "WAKE_TEST_OFFSET";
const ACTIONS: u64 = 60;

/// The outputs of an action are a function of its number; two numbers share one tree.
fn outputs(number: u64) -> Vec<(String, Vec<u8>)> {
    let seed = number / 2;
    let file = |n: u64| {
        let bytes = BlobDigest::of(&(seed * 10 + n).to_le_bytes()).to_string().repeat(40);
        (format!("d{n}/file{n}*"), bytes.into_bytes())
    };
    (0..3).map(file).collect()
}

fn put_numbered(store: &Store, number: u64) {
    let outputs = outputs(number);
    let files: Vec<(&str, &[u8])> =
        outputs.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
    put(store, number, &files);
}

/// Returns whether an action exists; if it does, it must be right.
fn is_right_or_absent(store: &Store, number: u64) -> bool {
    match store.action(&action(number).digest()).unwrap() {
        Lookup::Hit(found) => {
            let tree = store.tree_place(&found.tree());
            for (name, bytes) in outputs(number) {
                assert_eq!(std::fs::read(tree.join(name.trim_end_matches('*'))).unwrap(), bytes);
            }
            true
        }
        Lookup::Miss => false,
        Lookup::Corrupt(corruption) => panic!("{corruption}"),
    }
}

fn spawn(test: &str, store: &Path, offset: u64) -> Child {
    let mut process = child(test);
    process.env(STORE, store).env(OFFSET, offset.to_string());
    process.stdout(std::process::Stdio::null());
    process.spawn().unwrap()
}

fn offset() -> u64 {
    told(OFFSET).parse().unwrap()
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn writer() {
    let store = Store::open(told(STORE).as_ref()).unwrap();
    for step in 0..ACTIONS {
        let number = (offset() + step) % ACTIONS;
        if !is_right_or_absent(&store, number) {
            put_numbered(&store, number);
        }
        assert!(is_right_or_absent(&store, number), "{number}");
        store.memo().put(BlobDigest::of(&number.to_le_bytes()).0, number.to_le_bytes().to_vec());
    }
    store.flush_memo().unwrap();
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn collector() {
    let store = Store::open(told(STORE).as_ref()).unwrap();
    store.gc(&GcOptions::default(), &mut |_| {}).unwrap();
}

#[test]
fn c2_concurrent_processes_store_the_same_actions() {
    let dir = tempfile::tempdir().unwrap();
    // Half of them start at the same action, half elsewhere; the first ones create the store.
    let children: Vec<Child> =
        (0..8).map(|n| spawn("processes::writer", dir.path(), n / 4 * n * 7)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = Store::open(dir.path()).unwrap();
    assert!((0..ACTIONS).all(|number| is_right_or_absent(&store, number)));
    let memo = |number: u64| store.memo().get(&BlobDigest::of(&number.to_le_bytes()).0);
    assert!((0..ACTIONS).all(|number| memo(number) == Some(number.to_le_bytes().to_vec())));
    let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!((report.trees as u64, report.actions as u64), (ACTIONS / 2, ACTIONS));
    assert_eq!(report.corrupt, []);
}

/// Lets processes run for pseudo-random times before they are killed; the assertions hold at any time.
fn kill_after(child: &mut Child, round: u64) {
    std::thread::sleep(Duration::from_micros(2_000 + round * 7_919 % 60_000));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn f1_writers_killed_at_any_moment_leave_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..25 {
        let mut one = spawn("processes::writer", dir.path(), round * 13);
        let mut two = spawn("processes::writer", dir.path(), round * 29);
        kill_after(&mut one, round);
        kill_after(&mut two, round / 2);
        let store = Store::open(dir.path()).unwrap();
        let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
        assert_eq!(report.corrupt, [], "round {round}");
        // The first write sweeps the leftovers of the killed processes: only this store's own directory remains.
        put_numbered(&store, round);
        assert_eq!(std::fs::read_dir(store.root().join("tmp")).unwrap().count(), 1);
    }
    let store = Store::open(dir.path()).unwrap();
    for number in 0..ACTIONS {
        put_numbered(&store, number);
        assert!(is_right_or_absent(&store, number));
    }
}

#[test]
fn c8_killed_collectors_and_writers_leave_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..15 {
        let mut writers: Vec<Child> =
            (0..2).map(|n| spawn("processes::writer", dir.path(), round * 5 + n)).collect();
        let mut collector = spawn("processes::collector", dir.path(), 0);
        let mut second = spawn("processes::collector", dir.path(), 0);
        if round % 3 == 0 {
            kill_after(&mut collector, round);
        } else {
            assert!(collector.wait().unwrap().success());
        }
        // A writer that is not killed sees its own actions all the time, as its assertions check.
        for writer in &mut writers {
            assert!(writer.wait().unwrap().success(), "round {round}");
        }
        assert!(second.wait().unwrap().success());
        let store = Store::open(dir.path()).unwrap();
        let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
        assert_eq!(report.corrupt, [], "round {round}");
        for number in 0..ACTIONS {
            is_right_or_absent(&store, number);
        }
    }
}
