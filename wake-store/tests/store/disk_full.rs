//! A full file system: a small one in a mount namespace of a child process.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use wake_store::{ActionEntry, GcOptions, Logs, Lookup, Store, StoreError};

use crate::world::{action, adopt, fill, put, record, told};

const DIR: &str = "WAKE_TEST_DIR";

fn fill_up(dir: &Path) {
    let mut filler = fs::File::create(dir.join("filler")).unwrap();
    for size in [64 << 10, 4 << 10, 512, 1] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
#[ignore = "run by another test as a process of its own"]
fn on_a_small_disk() {
    let dir = told(DIR);
    let dir = Path::new(&dir);
    let store = Store::open(&dir.join("store")).unwrap();
    for number in 0..20 {
        put(&store, number, &[("f", &vec![number as u8; 20 << 10])]);
    }
    let kept = adopt(&store, &[("f", b"of many")]);
    fill_up(dir);

    let error = store.put_blob(&vec![7; 100 << 10]).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(error.to_string().ends_with("`: no space left"), "{error}");
    // Records fit until the last page is used; the one that does not fit leaves nothing.
    let (manifest, adopted) = kept;
    let full = (20..).find_map(|number| {
        let action = action(number);
        let (encoded, record) = (action.encode(), record(manifest.clone(), &[b'x'; 1000]));
        let entry = ActionEntry {
            digest: action.digest(),
            action: &encoded,
            record: &record,
            tree: adopted.tree,
            stamps: &adopted.stamps,
            logs: Logs { stdout: &[b'x'; 1000], stderr: b"" },
        };
        Some((number, store.put_action(entry).err()?))
    });
    let (number, error) = full.unwrap();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert_eq!(store.action(&action(number).digest()).unwrap(), Lookup::Miss);
    for number in 0..number {
        assert!(store.action(&action(number).digest()).unwrap().hit().is_some(), "{number}");
    }
    drop(store);

    // A later process, which has no scratch space yet and cannot create any.
    let store = Store::open(&dir.join("store")).unwrap();
    let half = GcOptions { max_size: Some(10 * (20 << 10) + (40 << 10)), ..GcOptions::default() };
    let report = store.gc(&half, &mut |_| {}).unwrap();
    assert!(report.deleted >= 8 && report.kept >= 5, "{report:?}");
    fs::remove_file(dir.join("filler")).unwrap();
    let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!(
        (report.trees, report.actions, report.corrupt.len()),
        (report.actions, report.trees, 0)
    );
    put(&store, 100, &[("f", b"room again")]);

    // What was half-written when the space ran out is not trusted, and can be written again.
    fill_up(dir);
    let scratch = store.scratch();
    fs::remove_file(dir.join("filler")).unwrap();
    if let Ok(scratch) = scratch {
        let manifest = fill(scratch.path(), &[("f", b"later")]);
        store.adopt_tree(scratch.path(), &manifest).unwrap();
    }
}

#[test]
fn f3_f4_a_full_disk_is_reported_and_can_be_collected() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m tmpfs \"$WAKE_TEST_DIR\"";
    let in_namespace = |script: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        unshare.env(DIR, dir.path()).env("WAKE_TEST_BINARY", std::env::current_exe().unwrap());
        unshare.status()
    };
    if !in_namespace(mount).is_ok_and(|status| status.success()) {
        return wake_tests::skipped(
            "f3_f4_a_full_disk_is_reported_and_can_be_collected",
            "no mount namespace can be made here",
        );
    }
    let script = format!(
        "{mount} && exec \"$WAKE_TEST_BINARY\" --exact disk_full::on_a_small_disk --ignored --nocapture"
    );
    assert!(in_namespace(&script).unwrap().success());
}
