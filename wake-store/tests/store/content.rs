//! Storing and retrieving bytes and trees.

use std::fs;
use std::os::unix::fs::MetadataExt;

use wake_model::{BlobDigest, Manifest, Node};
use wake_store::{AdoptError, BrowseError, BuildTreeError, Lookup, TREE_MTIME};

use crate::world::{World, adopt, fill, path, snapshot};

#[test]
fn a_blob_is_read_back() {
    let world = World::new();
    let digest = world.store.put_blob(b"some bytes").unwrap();
    assert_eq!(digest, BlobDigest::of(b"some bytes"));
    assert_eq!(world.store.blob(&digest).unwrap().unwrap(), b"some bytes");
    assert_eq!(world.store.put_blob(b"some bytes").unwrap(), digest);
    assert_eq!(world.store.blob(&BlobDigest::of(b"others")).unwrap(), None);
}

#[test]
fn an_adopted_tree_is_read_only_with_fixed_times() {
    let world = World::new();
    let files: &[(&str, &[u8])] =
        &[("bin/tool*", b"#!"), ("bin/deep/x", b""), ("empty/", b""), ("link@", b"bin/tool")];
    let (manifest, adopted) = adopt(&world.store, files);
    assert_eq!(adopted.tree, manifest.digest());
    let tree = world.store.tree_place(&adopted.tree);
    for (at, (mode, _)) in snapshot(&tree) {
        let expected = match at.to_str().unwrap() {
            "bin" | "bin/tool" | "bin/deep" | "empty" => 0o555,
            "bin/deep/x" => 0o444,
            "link" => 0o777,
            other => panic!("{other}"),
        };
        assert_eq!(mode, expected, "{at:?}");
        let metadata = tree.join(&at).symlink_metadata().unwrap();
        assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (TREE_MTIME, 0), "{at:?}");
    }
    let root = tree.symlink_metadata().unwrap();
    assert_eq!((root.mode() & 0o7777, root.mtime()), (0o555, TREE_MTIME));
    assert!(world.store.is_untouched(&adopted.tree, &manifest, &adopted.stamps));
}

#[test]
fn adopting_twice_keeps_the_first_and_removes_the_second() {
    let world = World::new();
    let files: &[(&str, &[u8])] = &[("a", b"1"), ("d/b*", b"2")];
    let (manifest, first) = adopt(&world.store, files);
    let place = world.store.tree_place(&first.tree);
    let inode = place.metadata().unwrap().ino();
    let scratch = world.store.scratch().unwrap();
    fill(scratch.path(), files);
    let second = world.store.adopt_tree(scratch.path(), &manifest).unwrap();
    assert_eq!(second, first);
    assert!(!scratch.path().exists());
    assert_eq!(place.metadata().unwrap().ino(), inode);
}

#[test]
fn the_empty_tree_can_be_stored() {
    let world = World::new();
    for _ in 0..2 {
        let (manifest, adopted) = adopt(&world.store, &[]);
        assert_eq!(adopted.tree, Manifest::default().digest());
        assert!(world.store.is_untouched(&adopted.tree, &manifest, &adopted.stamps));
    }
}

#[test]
fn a_directory_that_differs_from_its_manifest_is_refused() {
    let declared: &[(&str, &[u8])] = &[("a", b"1"), ("d/b", b"22"), ("l@", b"a"), ("e/", b"")];
    type Change = fn(&std::path::Path);
    let cases: [(&str, &str, Change); 7] = [
        ("a", "is missing", |dir| fs::remove_file(dir.join("a")).unwrap()),
        ("new", "is not in the manifest", |dir| fs::write(dir.join("new"), "").unwrap()),
        ("new", "is not in the manifest", |dir| fs::create_dir(dir.join("new")).unwrap()),
        ("a", "differs from the manifest", |dir| fs::write(dir.join("a"), "12").unwrap()),
        ("e", "is missing", |dir| fs::remove_dir(dir.join("e")).unwrap()),
        ("e/x", "is not in the manifest", |dir| fs::write(dir.join("e/x"), "").unwrap()),
        ("l", "differs from the manifest", |dir| {
            fs::remove_file(dir.join("l")).unwrap();
            std::os::unix::fs::symlink("b", dir.join("l")).unwrap();
        }),
    ];
    for (at, problem, change) in cases {
        let world = World::new();
        let scratch = world.store.scratch().unwrap();
        let manifest = fill(scratch.path(), declared);
        change(scratch.path());
        let error = world.store.adopt_tree(scratch.path(), &manifest).unwrap_err();
        let expected = format!("`{}` {problem}", scratch.path().join(at).display());
        assert_eq!(error.to_string(), expected);
        assert!(!world.store.tree_place(&manifest.digest()).exists());
    }
}

#[test]
fn a_socket_is_refused_by_name() {
    let world = World::new();
    let scratch = world.store.scratch().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("s")).unwrap();
    let error = world.store.adopt_tree(scratch.path(), &Manifest::default()).unwrap_err();
    assert!(matches!(error, AdoptError::NotAsDeclared { .. }));
    let expected = format!(
        "`{}` contains `s`, which is not a file, directory or link",
        scratch.path().display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn c4_similar_trees_have_different_paths() {
    let world = World::new();
    let variants: [&[(&str, &[u8])]; 9] = [
        &[],
        &[("a", b"x")],
        &[("a*", b"x")],
        &[("a/", b"")],
        &[("a@", b"x")],
        &[("a/b", b"x")],
        &[("a\nb", b"x")],
        &[("a\\b", b"x")],
        &[("ab", b"x")],
    ];
    let mut places = Vec::new();
    for files in variants {
        let (manifest, adopted) = adopt(&world.store, files);
        assert_eq!(world.store.manifest(&adopted.tree).unwrap(), Some(manifest));
        places.push(world.store.tree_place(&adopted.tree));
    }
    places.sort();
    places.dedup();
    assert_eq!(places.len(), variants.len());
}

#[test]
fn a_built_tree_has_the_added_files() {
    let world = World::new();
    let host = world.dir.path().join("host");
    fs::write(&host, b"from the host").unwrap();
    let mut builder = world.store.build_tree().unwrap();
    builder.add_file(&path("h/file"), &host, &BlobDigest::of(b"from the host"), true).unwrap();
    builder.add_bytes(&path("h/bytes"), b"given", false).unwrap();
    builder.add_link(&path("l"), "h/bytes").unwrap();
    builder.add_dir(&path("d")).unwrap();
    let digest = builder.finish().unwrap();
    let Lookup::Hit(tree) = world.store.tree(&digest).unwrap() else { panic!("not there") };
    assert_eq!(tree.manifest.digest(), digest);
    let seen = snapshot(&tree.path);
    assert_eq!(seen[std::path::Path::new("h/file")], (0o555, b"from the host".to_vec()));
    assert_eq!(seen[std::path::Path::new("h/bytes")], (0o444, b"given".to_vec()));
    assert_eq!(seen[std::path::Path::new("l")].1, b"h/bytes");
    assert_eq!(seen.len(), 5);
    assert_eq!(world.store.cat(&digest, &path("h/bytes")).unwrap(), b"given");
    let listed = world.store.ls(&digest, &path("h")).unwrap();
    let names: Vec<_> = listed.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(names, ["bytes", "file"]);
    assert_eq!(
        listed.get(&path("bytes")).map(|node| matches!(node, Node::File { .. })),
        Some(true)
    );
}

#[test]
fn a_file_with_unexpected_content_is_named() {
    let world = World::new();
    let host = world.dir.path().join("host");
    fs::write(&host, b"edited meanwhile").unwrap();
    let mut builder = world.store.build_tree().unwrap();
    let error =
        builder.add_file(&path("f"), &host, &BlobDigest::of(b"as declared"), false).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` changed while it was being read", host.display()));
}

#[test]
fn two_entries_at_one_path_are_refused() {
    let world = World::new();
    let mut builder = world.store.build_tree().unwrap();
    builder.add_bytes(&path("a"), b"", false).unwrap();
    for error in [
        builder.add_bytes(&path("a"), b"", false).unwrap_err(),
        builder.add_link(&path("a"), "x").unwrap_err(),
        builder.add_bytes(&path("a/b"), b"", false).unwrap_err(),
    ] {
        assert!(matches!(error, BuildTreeError::Conflict { .. }), "{error}");
    }
}

#[test]
fn paths_that_cannot_be_shown_are_named() {
    let world = World::new();
    let (_, adopted) = adopt(&world.store, &[("d/f", b"x")]);
    let tree = adopted.tree;
    let absent = Manifest::new([(path("other"), Node::Dir)]).unwrap().digest();
    let error = |error: BrowseError| error.to_string();
    assert_eq!(
        error(world.store.cat(&tree, &path("d")).unwrap_err()),
        format!("`d` in tree `{tree}` is not a file")
    );
    assert_eq!(
        error(world.store.cat(&tree, &path("x")).unwrap_err()),
        format!("`x` is not in tree `{tree}`")
    );
    assert_eq!(
        error(world.store.ls(&absent, &path("d")).unwrap_err()),
        format!("`{absent}` is not in the store")
    );
}

#[test]
fn a_scratch_directory_is_removed_whatever_it_contains() {
    let world = World::new();
    let scratch = world.store.scratch().unwrap();
    let place = scratch.path().to_owned();
    fs::create_dir_all(place.join("a/b")).unwrap();
    fs::write(place.join("a/b/f"), "x").unwrap();
    std::os::unix::fs::symlink("/", place.join("a/root")).unwrap();
    for dir in ["a/b", "a", "."] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
        fs::set_permissions(place.join(dir), mode).unwrap();
    }
    drop(scratch);
    assert!(!place.exists());
}
