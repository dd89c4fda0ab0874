//! The vectors of `spec/wares.md`, and what the ids do and do not depend on.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use wake_store::ware::{
    ArchivePolicy, Category, Meter, PackError, PackFilters, PackType, Placement, Unpack,
    UnpackFilters, WareId, Warehouse, list, pack,
};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A directory, with entries that end in `/` as directories and all others as files.
fn tree(dir: &Path, entries: &[(&str, &str)]) {
    fs::create_dir(dir).unwrap();
    for (name, content) in entries {
        let path = dir.join(name);
        if name.ends_with('/') {
            fs::create_dir(&path).unwrap();
            chmod(&path, 0o755);
        } else {
            fs::write(&path, content).unwrap();
            chmod(&path, 0o644);
        }
    }
    chmod(dir, 0o755);
}

fn flat(dir: &Path, packtype: PackType) -> String {
    pack(dir, packtype, PackFilters::FLATTEN, None).unwrap().to_string()
}

#[test]
fn wares_have_the_ids_of_the_vectors() {
    let temp = tempfile::tempdir().unwrap();
    let dir = |name: &str| temp.path().join(name);
    tree(&dir("empty"), &[]);
    assert_eq!(
        flat(&dir("empty"), PackType::Tar),
        "tar:6ZQwr3JLPNsLPxEkBt66PadXcX8GkJ35juzyrHMkvoqxnqXR5oR1U2c71vatgXv3zH"
    );
    tree(&dir("beep"), &[("beep/", "")]);
    assert_eq!(
        flat(&dir("beep"), PackType::Tar),
        "tar:729LuUdChuu7traKQHNVAoWD9AjmrdCY4QUquhU6sPeRktVKrHo4k4cSaiQ523Nn4D"
    );
    tree(&dir("order"), &[("a/", ""), ("a/f", ""), ("a.d", ""), ("a-x/", "")]);
    assert_eq!(
        flat(&dir("order"), PackType::Tar),
        "tar:YfJ7uGjnvjm4RgjdCFrWRUQpjvw6HxJM37arf3xbqaSgPTJqZfXNzWrXafXKp36Ro"
    );
    tree(&dir("nodes"), &[("f", "hello\n")]);
    symlink("f", dir("nodes").join("l")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, dir("nodes").join("p"), fifo, 0o644.into(), 0).unwrap();
    chmod(&dir("nodes").join("p"), 0o644);
    assert_eq!(
        flat(&dir("nodes"), PackType::Tar),
        "tar:2RQQ9J5V53NYJF9Qfk36RZ2Pfq8G9JCFnxtbDj9uT4fr2A9d5JgtRN9PMbPWFHA931"
    );
    assert_eq!(
        flat(&dir("nodes"), PackType::Tree),
        "tree:7Gm69ijL7fCo83N18SCF7MrZqN1hQ6bqBRjU1THMcvqyGRWY3XCMcvmbdbUDg14jKR"
    );
    assert_eq!(flat(&dir("absent"), PackType::Tar), "tar:-");
}

#[test]
fn an_archive_depends_only_on_the_tree() {
    let temp = tempfile::tempdir().unwrap();
    let long = "x".repeat(150);
    let bytes = |name: &str, entries: &[(&str, &str)]| {
        let dir = temp.path().join(name);
        tree(&dir, entries);
        symlink(&long, dir.join("link")).unwrap();
        let target = Warehouse::File(temp.path().join(format!("{name}.tgz")));
        pack(&dir, PackType::Tree, PackFilters::FLATTEN, Some(&target)).unwrap();
        fs::read(temp.path().join(format!("{name}.tgz"))).unwrap()
    };
    let one = bytes("one", &[("b", "2"), ("a", "1"), (&long, "3")]);
    assert_eq!(one, bytes("two", &[(&long, "3"), ("a", "1"), ("b", "2")]));
    assert_ne!(one, bytes("three", &[(&long, "3"), ("a", "1"), ("b", "0")]));
}

#[test]
fn a_tree_ware_is_restored_with_every_node() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("dir");
    tree(&dir, &[("f", "hello\n"), ("d/", ""), ("d/g", "")]);
    chmod(&dir.join("d"), 0o555);
    symlink("/outside", dir.join("l")).unwrap();
    fs::create_dir(temp.path().join("shelf")).unwrap();
    let shelf = Warehouse::CaFile(temp.path().join("shelf"));
    let filters: PackFilters = "mtime=@-5".parse().unwrap();
    let ware = pack(&dir, PackType::Tree, filters, Some(&shelf)).unwrap();
    let out = temp.path().join("out");
    let sources = [shelf];
    let unpack = Unpack {
        ware: &ware,
        sources: &sources,
        filters: UnpackFilters::LOSSLESS,
        cache: None,
        policy: ArchivePolicy::WARE,
    };
    assert_eq!(unpack.place_at(&out, Placement::Direct, &Meter::default()).unwrap().ware, ware);
    assert_eq!(pack(&out, PackType::Tree, PackFilters::LOSSLESS, None).unwrap(), ware);
    // Over an existing tree, even if that is read-only.
    unpack.place_at(&out, Placement::Copy, &Meter::default()).unwrap();
    chmod(&out.join("d"), 0o755);
    chmod(&dir.join("d"), 0o755);
}

#[test]
fn unpack_filters_change_only_the_returned_id() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("dir");
    tree(&dir, &[("f", "hello\n")]);
    let file = Warehouse::File(temp.path().join("w.tgz"));
    let ware = pack(&dir, PackType::Tar, PackFilters::FLATTEN, Some(&file)).unwrap();
    let sources = [file];
    let filters: UnpackFilters = "mtime=@7".parse().unwrap();
    let unpack = Unpack {
        ware: &ware,
        sources: &sources,
        filters,
        cache: None,
        policy: ArchivePolicy::WARE,
    };
    let came = unpack
        .place_at(&temp.path().join("out"), Placement::Direct, &Meter::default())
        .unwrap()
        .ware;
    let expected: PackFilters = "mtime=@7".parse().unwrap();
    assert_eq!(
        came,
        pack(&dir, PackType::Tar, expected.apply(PackFilters::FLATTEN), None).unwrap()
    );
}

#[test]
fn another_ware_than_requested_is_not_used() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("beep");
    tree(&dir, &[("beep/", "")]);
    let file = Warehouse::File(temp.path().join("w.tgz"));
    pack(&dir, PackType::Tar, PackFilters::FLATTEN, Some(&file)).unwrap();
    let asked: WareId =
        "tar:6ZQwr3JLPNsLPxEkBt66PadXcX8GkJ35juzyrHMkvoqxnqXR5oR1U2c71vatgXv3zH".parse().unwrap();
    let out = temp.path().join("out");
    tree(&out, &[("precious", "")]);
    let sources = [file];
    let unpack = Unpack {
        ware: &asked,
        sources: &sources,
        filters: UnpackFilters::LOW_PRIV,
        cache: None,
        policy: ArchivePolicy::WARE,
    };
    let error = unpack.place_at(&out, Placement::Direct, &Meter::default()).unwrap_err();
    assert_eq!(error.category().exit_code(), 7);
    assert_eq!(
        error.to_string(),
        "hash mismatch: expected `tar:6ZQwr3JLPNsLPxEkBt66PadXcX8GkJ35juzyrHMkvoqxnqXR5oR1U2c71vatgXv3zH`, got \
         `tar:729LuUdChuu7traKQHNVAoWD9AjmrdCY4QUquhU6sPeRktVKrHo4k4cSaiQ523Nn4D`"
    );
    assert!(out.join("precious").is_file());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 3, "something was left behind");
}

#[test]
fn unsupported_files_are_not_packed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("dir");
    tree(&dir, &[("su", "")]);
    chmod(&dir.join("su"), 0o4755);
    let error = pack(&dir, PackType::Tar, PackFilters::CONSERVATIVE, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`su` has permissions 04755, which filter `setid=reject` refuses"
    );
    assert_eq!(error.category(), Category::FilterRejection);
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("s")).unwrap();
    assert!(matches!(
        pack(&dir, PackType::Tar, PackFilters::FLATTEN, None),
        Err(PackError::Socket { .. })
    ));
    let error = pack(&dir, PackType::Git, PackFilters::FLATTEN, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pack type `git` cannot be packed: expected `tar`, `tree` or `zip`"
    );
    let nowhere = Warehouse::CaFile(temp.path().join("absent"));
    let error =
        pack(&temp.path().join("dir2"), PackType::Tar, PackFilters::FLATTEN, Some(&nowhere))
            .unwrap();
    assert!(error.is_nothing());
    tree(&temp.path().join("dir3"), &[]);
    let error =
        pack(&temp.path().join("dir3"), PackType::Tar, PackFilters::FLATTEN, Some(&nowhere))
            .unwrap_err();
    assert_eq!(error.category(), Category::WarehouseUnavailable);
}

#[test]
fn listing_names_every_node_in_order() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("dir");
    tree(&dir, &[("a/", ""), ("a/f", "x"), ("a.d", ""), ("a-x/", "")]);
    let file = Warehouse::File(temp.path().join("w.tgz"));
    let ware = pack(&dir, PackType::Tar, PackFilters::FLATTEN, Some(&file)).unwrap();
    let (id, nodes) = list(PackType::Tar, &file, ArchivePolicy::WARE, &Meter::default()).unwrap();
    assert_eq!(id, ware);
    let names: Vec<String> = nodes.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, [".", "a-x", "a.d", "a", "a/f"]);
}
