//! Which directories are opened as stores.

use std::fs;

use wake_store::{Lookup, OpenError, Store};

use crate::world::{World, action, path, put, snapshot};

fn open_with(
    format: Option<&[u8]>,
    other: &[&str],
) -> (tempfile::TempDir, Result<Store, OpenError>) {
    let dir = tempfile::tempdir().unwrap();
    if let Some(format) = format {
        fs::write(dir.path().join("format"), format).unwrap();
    }
    for name in other {
        fs::write(dir.path().join(name), "").unwrap();
    }
    let before = snapshot(dir.path());
    let opened = Store::open(dir.path());
    if opened.is_err() {
        assert_eq!(snapshot(dir.path()), before, "touched");
    }
    (dir, opened)
}

#[test]
fn c5_an_empty_or_missing_directory_becomes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    for place in [dir.path().to_owned(), dir.path().join("not/yet/there")] {
        drop(Store::open(&place).unwrap());
        assert_eq!(fs::read(place.join("format")).unwrap(), b"wake-store 3\n");
        drop(Store::open(&place).unwrap());
        fs::remove_dir_all(&place).unwrap();
        fs::create_dir_all(&place).unwrap();
    }
}

#[test]
fn c5_a_store_from_a_newer_wake_is_not_changed() {
    let (dir, opened) = open_with(Some(b"wake-store 4\n"), &["lock"]);
    let error = opened.unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 4, .. }));
    let expected = format!(
        "`{}` has store format 4; this version of wake supports format 3",
        dir.path().canonicalize().unwrap().display()
    );
    assert_eq!(error.to_string(), expected);
}

/// Of earlier formats, only the action records are no longer read: their actions run again.
#[test]
fn f11_a_store_of_an_earlier_format_is_converted() {
    for (format, record) in [("wake-store 1\n", "wakeact1"), ("wake-store 2\n", "wakepck1")] {
        an_earlier_store_becomes_one_of_this(format, record);
    }
}

fn an_earlier_store_becomes_one_of_this(format: &str, record: &str) {
    let world = World::new();
    let mut builder = world.store.build_tree().unwrap();
    builder.add_bytes(&path("a"), b"x", false).unwrap();
    let tree = builder.finish().unwrap();
    let root = world.store.root().to_owned();
    drop(world.store);
    fs::write(root.join("format"), format).unwrap();
    let digest = action(1).digest();
    let former = root.join("action").join(&digest.to_string()[..2]).join(digest.to_string());
    fs::create_dir_all(former.parent().unwrap()).unwrap();
    fs::write(&former, record).unwrap();

    let store = Store::open(&root).unwrap();
    assert_eq!(fs::read(root.join("format")).unwrap(), b"wake-store 3\n");
    assert!(!former.exists());
    assert_eq!(store.action(&digest).unwrap(), Lookup::Miss);
    assert!(store.tree(&tree).unwrap().hit().is_some());
    put(&store, 1, &[("a", b"x")]);
    assert!(store.action(&digest).unwrap().hit().is_some());
}

#[test]
fn c5_an_unknown_format_file_is_not_changed() {
    let texts: [&[u8]; 8] = [
        b"",
        b"wake-store 3",
        b"wake-store 0\n",
        b"wake-store -1\n",
        b"wake-store 3\n\n",
        b"wake-store 99999999999\n",
        b"\xff\xfe",
        b"something else",
    ];
    for text in texts {
        let (dir, opened) = open_with(Some(text), &[]);
        let expected = format!(
            "`{}` is not a valid wake store format file",
            dir.path().canonicalize().unwrap().join("format").display()
        );
        assert_eq!(opened.unwrap_err().to_string(), expected, "{text:?}");
    }
}

#[test]
fn c5_a_directory_that_is_not_a_store_is_not_changed() {
    for (names, what) in [
        (&["letter.txt"][..], "neither empty nor a wake store"),
        (&["lock", "letter.txt"], "neither empty nor a wake store"),
        (&["lock", "tree"], "a partly removed wake store"),
    ] {
        let (dir, opened) = open_with(None, names);
        let expected = format!("`{}` is {what}", dir.path().canonicalize().unwrap().display());
        assert_eq!(opened.unwrap_err().to_string(), expected);
    }
}

#[test]
fn f1_an_interrupted_creation_of_a_store_is_completed() {
    let (_dir, opened) = open_with(None, &["format.new-0123456789abcdef"]);
    opened.unwrap();
}

#[test]
fn a_file_in_place_of_a_store_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("file");
    fs::write(&place, "").unwrap();
    let expected = format!("`{}` is not a directory", place.display());
    for root in [place.clone(), place.join("below")] {
        assert_eq!(Store::open(&root).unwrap_err().to_string(), expected);
    }
}
