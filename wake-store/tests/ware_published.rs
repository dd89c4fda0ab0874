//! Published ids of tar wares, computed from their published inputs.
//!
//! The inputs are fixtures outside this repository: `WAKE_FIXTURES`, else `../shared/fixtures` beside the checkout.
#![allow(clippy::unwrap_used, missing_docs)]

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wake_store::ware::{
    ArchivePolicy, Meter, Mtime, Owner, PackFilters, PackType, Placement, Unpack, UnpackFilters,
    WareCache, WareId, Warehouse, mirror, pack, scan,
};
use wake_tests::fixtures;

fn cases(dir: &Path, kind: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_json::from_slice(&fs::read(dir.join("hashes.json")).unwrap()).unwrap();
    let cases: Vec<Value> = all.into_iter().filter(|case| case["kind"] == kind).collect();
    assert!(!cases.is_empty(), "no case of kind `{kind}`");
    cases
}

fn tar_id(case: &Value) -> WareId {
    format!("tar:{}", case["expected"].as_str().unwrap()).parse().unwrap()
}

fn owned_by(uid: u64, gid: u64) -> PackFilters {
    PackFilters {
        uid: Some(Owner::Id(uid as u32)),
        gid: Some(Owner::Id(gid as u32)),
        mtime: Some(Mtime::At(1_262_304_000)),
        ..PackFilters::FLATTEN
    }
}

fn chmod(path: &Path, mode: &Value) {
    let mode = u32::from_str_radix(mode.as_str().unwrap().trim_start_matches("0o"), 8).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Builds the tree of a case; an entry without content is a directory.
fn build(case: &Value, root: &Path) {
    let input = &case["input"];
    fs::create_dir(root).unwrap();
    for entry in input["entries"].as_array().unwrap() {
        let path = root.join(entry[0].as_str().unwrap());
        match entry[1].as_str() {
            None => {
                fs::create_dir(&path).unwrap();
                chmod(&path, &input["rootmode"]);
            }
            Some(content) => {
                fs::write(&path, content).unwrap();
                chmod(&path, &input["filemode"]);
            }
        }
    }
    chmod(root, &input["rootmode"]);
}

#[test]
fn published_archives_have_their_ids() {
    let Some(dir) = fixtures("published_archives_have_their_ids", "timeless") else { return };
    for case in cases(&dir, "tar scan") {
        let archive = Warehouse::File(dir.join(case["input"]["file"].as_str().unwrap()));
        let id = scan(
            PackType::Tar,
            &archive,
            UnpackFilters::LOSSLESS,
            ArchivePolicy::WARE,
            &Meter::default(),
        )
        .unwrap();
        assert_eq!(id, tar_id(&case), "{}", case["source"]);
    }
}

#[test]
fn published_trees_and_their_archives_have_their_ids() {
    let Some(dir) = fixtures("published_trees_and_their_archives_have_their_ids", "timeless")
    else {
        return;
    };
    for case in cases(&dir, "pack tree") {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("tree");
        build(&case, &root);
        let number = |key: &str| case["input"][key].as_u64().unwrap();
        let filters = owned_by(number("uid"), number("gid"));
        assert_eq!(
            pack(&root, PackType::Tar, filters, None).unwrap(),
            tar_id(&case),
            "{}",
            case["source"]
        );

        let archive = Warehouse::File(temp.path().join("tree.tgz"));
        assert_eq!(pack(&root, PackType::Tar, filters, Some(&archive)).unwrap(), tar_id(&case));
        let scanned = scan(
            PackType::Tar,
            &archive,
            UnpackFilters::LOSSLESS,
            ArchivePolicy::WARE,
            &Meter::default(),
        )
        .unwrap();
        assert_eq!(scanned, tar_id(&case));
    }
}

#[test]
fn a_published_single_file_has_its_id() {
    let Some(dir) = fixtures("a_published_single_file_has_its_id", "timeless") else { return };
    for case in cases(&dir, "pack single file") {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("file");
        fs::write(&path, case["input"]["content"].as_str().unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let uid = case["input"]["uid"].as_u64().unwrap();
        let archive = Warehouse::File(temp.path().join("file.tgz"));
        let id = pack(&path, PackType::Tar, owned_by(uid, uid), Some(&archive)).unwrap();
        assert_eq!(id, tar_id(&case));

        let copy = temp.path().join("copy");
        let unpack = Unpack {
            ware: &id,
            sources: &[archive],
            filters: UnpackFilters::LOW_PRIV,
            cache: None,
            policy: ArchivePolicy::WARE,
        };
        unpack.place_at(&copy, Placement::Direct, &Meter::default()).unwrap();
        assert_eq!(fs::read_to_string(copy).unwrap(), case["input"]["content"].as_str().unwrap());
    }
}

#[test]
fn a_root_file_system_is_restored_unchanged() {
    let Some(dir) = fixtures("a_root_file_system_is_restored_unchanged", "timeless") else {
        return;
    };
    let case = cases(&dir, "tar scan")
        .into_iter()
        .find(|case| case["input"]["file"] == "busybash.tgz")
        .unwrap();
    let id = tar_id(&case);
    let temp = tempfile::tempdir().unwrap();
    let shelf = Warehouse::CaFile(temp.path().join("shelf"));
    fs::create_dir(temp.path().join("shelf")).unwrap();
    let given = Warehouse::File(dir.join("busybash.tgz"));
    mirror(&id, &shelf, &[given], ArchivePolicy::WARE, &Meter::default()).unwrap();
    let hash = id.hash();
    assert!(temp.path().join("shelf").join(&hash[..3]).join(&hash[3..6]).join(hash).is_file());

    let cache = WareCache::new(&temp.path().join("cache"));
    let root = temp.path().join("root");
    let unpack = |sources: &[Warehouse]| {
        let filters = UnpackFilters::LOSSLESS;
        Unpack { ware: &id, sources, filters, cache: Some(&cache), policy: ArchivePolicy::WARE }
            .place_at(&root, Placement::Copy, &Meter::default())
    };
    let unpacked = unpack(std::slice::from_ref(&shelf)).unwrap();
    assert_eq!(unpacked.ware, id);
    assert!(root.join("bin/busybox").is_file());
    // Now from the cache alone, over the existing tree.
    fs::write(root.join("leftover"), "").unwrap();
    fs::remove_dir_all(temp.path().join("shelf")).unwrap();
    unpack(&[shelf]).unwrap();
    assert!(!root.join("leftover").exists());
    if unpacked.ownership == wake_store::ware::Ownership::Kept {
        assert_eq!(pack(&root, PackType::Tar, PackFilters::LOSSLESS, None).unwrap(), id);
    }
    let left: Vec<_> =
        fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
