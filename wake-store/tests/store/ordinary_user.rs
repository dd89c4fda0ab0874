//! What root does not notice: permissions matter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use wake_store::{GcOptions, Lookup, OpenError, Store};

use crate::world::{child, put, told};

const DIR: &str = "WAKE_TEST_DIR";
/// The user `nobody`, if there is one.
const NOBODY: u32 = 65534;

#[test]
#[ignore = "run by another test as a process of its own"]
fn as_nobody() {
    let dir = told(DIR);
    let dir = Path::new(&dir);
    let store = Store::open(&dir.join("store")).unwrap();
    let files: &[(&str, &[u8])] = &[("a", b"1"), ("d/b*", b"2"), ("e/", b"")];
    let (digest, tree) = put(&store, 1, files);
    put(&store, 2, files);
    let file = store.tree_place(&tree).join("a");
    let refused = fs::write(&file, "x").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let refused = fs::remove_file(&file).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "x").unwrap();
    assert!(matches!(store.action(&digest).unwrap(), Lookup::Corrupt(_)));
    put(&store, 1, files);
    assert!(store.action(&digest).unwrap().hit().is_some());
    let report = store.gc(&GcOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(report.deleted, 1);
    assert!(
        fs::read_dir(store.root().join("tree"))
            .unwrap()
            .all(|shard| { fs::read_dir(shard.unwrap().path()).unwrap().next().is_none() })
    );
    drop(store);
    assert_eq!(fs::read_dir(dir.join("store/tmp")).unwrap().count(), 0);

    let locked = dir.join("locked");
    fs::create_dir(&locked).unwrap();
    drop(Store::open(&locked).unwrap());
    for mode in [0o555, 0o000] {
        fs::set_permissions(&locked, fs::Permissions::from_mode(mode)).unwrap();
        let error = Store::open(&locked).unwrap_err();
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
        assert_eq!(error.to_string(), format!("`{}` is not writable", locked.display()));
    }
    let below = locked.join("store");
    let error = Store::open(&below).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` is not writable", below.display()));
}

#[test]
fn c9_c10_an_ordinary_user_can_use_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().canonicalize().unwrap();
    let mut process = child("ordinary_user::as_nobody");
    process.env(DIR, &place);
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
        process.uid(NOBODY).gid(NOBODY);
    }
    match process.status() {
        Ok(status) => assert!(status.success()),
        // The binary may be where only root has access.
        Err(error) => {
            wake_tests::skipped("c9_c10_an_ordinary_user_can_use_a_store", &error.to_string())
        }
    }
    // Left by another user with modes of its own: removed here, since only root or that user can.
    let _ = fs::set_permissions(place.join("locked"), fs::Permissions::from_mode(0o755));
}
