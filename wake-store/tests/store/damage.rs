//! Modifications of the store's files by others are detected at the next use.

use std::fs::{self, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use wake_store::{Damage, Lookup, Store};

use crate::world::{World, adopt, packs, path, put, snapshot, unlock};

const FILES: &[(&str, &[u8])] = &[("a", b"first"), ("d/b*", b"other"), ("l@", b"a"), ("e/", b"")];

fn write_at(file: &Path, bytes: &[u8], at: u64) {
    unlock(file);
    OpenOptions::new().write(true).open(file).unwrap().write_all_at(bytes, at).unwrap();
}

/// Restores the times and the mode, as somebody would who wants to avoid detection.
fn hide(file: &Path, executable: bool) {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(wake_store::TREE_MTIME as u64);
    let times = FileTimes::new().set_modified(then).set_accessed(then);
    OpenOptions::new().write(true).open(file).unwrap().set_times(times).unwrap();
    let mode = if executable { 0o555 } else { 0o444 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// A way to make a tree wrong.
type Attack = fn(&Path);

const ATTACKS: [(&str, Attack); 13] = [
    ("flip", |tree| write_at(&tree.join("a"), b"F", 0)),
    ("flip and hide", |tree| {
        write_at(&tree.join("a"), b"F", 0);
        hide(&tree.join("a"), false);
    }),
    ("flip and hide in a directory", |tree| {
        write_at(&tree.join("d/b"), b"O", 0);
        hide(&tree.join("d/b"), true);
    }),
    ("truncate", |tree| {
        unlock(&tree.join("a"));
        OpenOptions::new().write(true).open(tree.join("a")).unwrap().set_len(2).unwrap();
    }),
    ("extend", |tree| {
        unlock(&tree.join("a"));
        OpenOptions::new().append(true).open(tree.join("a")).unwrap().write_all(b"!").unwrap();
    }),
    ("zero", |tree| write_at(&tree.join("a"), &[0; 5], 0)),
    ("swap", |tree| {
        unlock(tree);
        unlock(&tree.join("d"));
        fs::rename(tree.join("a"), tree.join("d/c")).unwrap();
        fs::rename(tree.join("d/b"), tree.join("a")).unwrap();
        fs::rename(tree.join("d/c"), tree.join("d/b")).unwrap();
    }),
    ("make executable", |tree| {
        fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o555)).unwrap();
    }),
    ("remove", |tree| {
        unlock(tree);
        fs::remove_file(tree.join("a")).unwrap();
    }),
    ("add", |tree| {
        unlock(&tree.join("d"));
        fs::write(tree.join("d/new"), "").unwrap();
    }),
    ("add a directory in an empty one", |tree| {
        unlock(&tree.join("e"));
        fs::create_dir(tree.join("e/new")).unwrap();
    }),
    ("turn a link", |tree| {
        unlock(tree);
        fs::remove_file(tree.join("l")).unwrap();
        symlink("d", tree.join("l")).unwrap();
    }),
    ("replace a file by a directory", |tree| {
        unlock(tree);
        fs::remove_file(tree.join("a")).unwrap();
        fs::create_dir(tree.join("a")).unwrap();
    }),
];

#[test]
fn c1_changed_outputs_are_quarantined_and_rebuilt() {
    for (name, attack) in ATTACKS {
        let world = World::new();
        let (digest, tree) = world.put(1, FILES);
        let place = world.place("tree", &tree);
        attack(&place);
        let damaged = snapshot(&place);
        let Lookup::Corrupt(corruption) = world.lookup(&digest) else { panic!("{name}: believed") };
        assert_eq!((&corruption.path, &corruption.damage), (&place, &Damage::Content), "{name}");
        assert_eq!(snapshot(corruption.kept.as_ref().unwrap()), damaged, "{name}");
        assert_eq!(world.lookup(&digest), Lookup::Miss, "{name}");
        world.put(1, FILES);
        assert_eq!(world.lookup(&digest).hit().unwrap().tree(), tree, "{name}");
    }
}

#[test]
fn c1_adopting_a_valid_tree_replaces_a_damaged_one() {
    for (name, attack) in ATTACKS {
        let world = World::new();
        let (_, tree) = world.put(1, FILES);
        attack(&world.place("tree", &tree));
        let (_, adopted) = adopt(&world.store, FILES);
        assert_eq!(adopted.replaced.unwrap().damage, Damage::Content, "{name}");
        assert!(world.store.manifest(&tree).unwrap().is_some(), "{name}");
    }
}

#[test]
fn c1_trees_without_an_action_are_verified() {
    for (name, attack) in ATTACKS {
        let world = World::new();
        let mut builder = world.store.build_tree().unwrap();
        builder.add_bytes(&path("a"), b"first", false).unwrap();
        builder.add_bytes(&path("d/b"), b"other", true).unwrap();
        builder.add_link(&path("l"), "a").unwrap();
        builder.add_dir(&path("e")).unwrap();
        let tree = builder.finish().unwrap();
        assert!(world.store.tree(&tree).unwrap().hit().is_some(), "{name}");
        attack(&world.place("tree", &tree));
        assert!(matches!(world.store.tree(&tree).unwrap(), Lookup::Corrupt(_)), "{name}");
        assert_eq!(world.store.tree(&tree).unwrap(), Lookup::Miss, "{name}");
    }
}

#[test]
fn c1_verify_finds_every_kind_of_damage() {
    for (name, attack) in ATTACKS {
        let world = World::new();
        let (digest, tree) = world.put(1, FILES);
        world.put(2, &[("unharmed", b"")]);
        attack(&world.place("tree", &tree));
        let report = world.store.verify(&Default::default(), &|_, _| {}).unwrap();
        assert_eq!(report.corrupt.len(), 1, "{name}");
        assert_eq!(report.corrupt[0].path, world.place("tree", &tree), "{name}");
        assert!(world.lookup(&digest).hit().is_none(), "{name}");
        let again = world.store.verify(&Default::default(), &|_, _| {}).unwrap();
        assert_eq!((again.trees, again.corrupt.len()), (1, 0), "{name}");
    }
}

#[test]
fn touched_but_equal_trees_are_verified_once() {
    let harmless: [(&str, Attack); 3] = [
        ("times", |tree| {
            unlock(&tree.join("a"));
            let times = FileTimes::new().set_modified(SystemTime::now());
            OpenOptions::new().write(true).open(tree.join("a")).unwrap().set_times(times).unwrap();
        }),
        ("the same bytes in a new file", |tree| {
            unlock(tree);
            fs::remove_file(tree.join("a")).unwrap();
            fs::write(tree.join("a"), "first").unwrap();
        }),
        ("a file that came and went", |tree| {
            unlock(&tree.join("d"));
            fs::write(tree.join("d/new"), "").unwrap();
            fs::remove_file(tree.join("d/new")).unwrap();
        }),
    ];
    for (name, touch) in harmless {
        let world = World::new();
        let (digest, tree) = world.put(1, FILES);
        let fresh = snapshot(&world.place("tree", &tree));
        let before = world.lookup(&digest).hit().unwrap();
        touch(&world.place("tree", &tree));
        let manifest = &before.record().outputs;
        assert!(!world.store.is_untouched(&tree, manifest, before.stamps()), "{name}");
        let after = world.lookup(&digest).hit().unwrap();
        assert!(world.store.is_untouched(&tree, manifest, after.stamps()), "{name}");
        assert_eq!(world.lookup(&digest).hit().unwrap().stamps(), after.stamps(), "{name}");
        // Modes and times are corrected again.
        assert_eq!(snapshot(&world.place("tree", &tree)), fresh, "{name}");
    }
}

#[test]
fn c10_writes_through_a_result_link_do_not_affect_builds() {
    let world = World::new();
    let (digest, tree) = world.put(1, FILES);
    let link = world.dir.path().join("result");
    symlink(world.place("tree", &tree), &link).unwrap();
    let file = link.join("a");
    // An ordinary user is refused; root and the determined are not, and are detected.
    unlock(&file);
    fs::write(&file, "mine").unwrap();
    assert!(matches!(world.lookup(&digest), Lookup::Corrupt(_)));
}

/// Alters a byte of a pack.
fn flip(pack: &Path, at: usize) {
    let mut bytes = fs::read(pack).unwrap();
    bytes[at] ^= 1 << (at % 8);
    fs::write(pack, &bytes).unwrap();
}

#[test]
fn c6_each_altered_byte_of_a_record_is_noticed() {
    let (size, header) = {
        let world = World::new();
        let packed = world.packed(&world.put(1, FILES).0);
        (packed.record.end, packed.header)
    };
    // The record is preceded by its offset and length; the last eight bytes are its last use.
    for at in (header..header + 64).chain(header + 72..size) {
        let world = World::new();
        let (digest, tree) = world.put(1, FILES);
        let pack = world.packed(&digest).pack;
        flip(&pack, at);
        let Lookup::Corrupt(corruption) = world.lookup(&digest) else { panic!("byte {at}") };
        let expected = format!(
            "`{}` contains a damaged record of action {}",
            pack.display(),
            &digest.to_string()[..12]
        );
        assert_eq!(corruption.to_string(), expected);
        assert_eq!(world.lookup(&digest), Lookup::Miss);
        let other = Store::open(world.store.root()).unwrap();
        assert_eq!(other.action(&digest).unwrap(), Lookup::Miss);
        assert_eq!(put(&other, 1, FILES).1, tree);
        assert_eq!(world.lookup(&digest).hit().unwrap().tree(), tree);
    }
}

#[test]
fn c6_an_altered_byte_of_a_finished_pack_gives_no_wrong_result() {
    let world = World::new();
    let actions = [world.put(1, &[("f", b"1")]), world.put(2, &[("f", b"2")])];
    let damaged: Vec<_> = actions.iter().map(|(digest, _)| world.packed(digest)).collect();
    let World { dir, store } = world;
    let root = store.root().to_owned();
    drop(store);
    let pack = &damaged[0].pack;
    let good = fs::read(pack).unwrap();
    let mut seen = [0; 3];
    for at in 0..good.len() {
        flip(pack, at);
        let store = Store::open(&root).unwrap();
        for ((digest, tree), packed) in std::iter::zip(&actions, &damaged) {
            match store.action(digest).unwrap() {
                Lookup::Hit(found) => {
                    seen[0] += 1;
                    assert_eq!(found.tree(), *tree, "byte {at}");
                    assert!(!packed.record.contains(&at), "byte {at}");
                }
                Lookup::Miss => seen[1] += 1,
                Lookup::Corrupt(corruption) => {
                    seen[2] += 1;
                    assert_eq!(corruption.damage, Damage::PackedRecord(*digest), "byte {at}");
                    assert!((packed.header..packed.record.end).contains(&at), "byte {at}");
                }
            }
        }
        drop(store);
        if at % 11 != 0 {
            fs::write(pack, &good).unwrap();
            continue;
        }
        // After everything in the store has been checked, nothing is wrong.
        fs::write(pack, &good).unwrap();
        flip(pack, at);
        let store = Store::open(&root).unwrap();
        store.verify(&Default::default(), &|_, _| {}).unwrap();
        let again = store.verify(&Default::default(), &|_, _| {}).unwrap();
        assert_eq!(again.corrupt, [], "byte {at}");
        drop(store);
        for other in packs(&root).iter().filter(|other| *other != pack) {
            fs::remove_file(other).unwrap();
        }
        fs::write(pack, &good).unwrap();
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
    drop(dir);
}

#[test]
fn c1_verify_finds_a_damaged_index_and_keeps_the_records() {
    let world = World::new();
    let (digest, tree) = world.put(1, FILES);
    let packed = world.packed(&digest);
    let World { dir, store } = world;
    let root = store.root().to_owned();
    drop(store);
    // The index has one entry, which starts after the only record.
    flip(&packed.pack, packed.record.end);
    let store = Store::open(&root).unwrap();
    assert_eq!(store.action(&digest).unwrap(), Lookup::Miss);
    let report = store.verify(&Default::default(), &|_, _| {}).unwrap();
    let said: Vec<String> = report.corrupt.iter().map(ToString::to_string).collect();
    assert_eq!(said, [format!("`{}` is damaged", packed.pack.display())]);
    assert_eq!(store.action(&digest).unwrap().hit().unwrap().tree(), tree);
    let again = store.verify(&Default::default(), &|_, _| {}).unwrap();
    assert_eq!((again.actions, again.corrupt.len()), (1, 0));
    drop(dir);
}

#[test]
fn c6_the_record_of_another_action_is_not_trusted() {
    let world = World::new();
    let (one, _) = world.put(1, &[("f", b"1")]);
    let (two, _) = world.put(2, &[("f", b"2")]);
    let (from, to) = (world.packed(&one), world.packed(&two));
    let mut bytes = fs::read(&from.pack).unwrap();
    assert_eq!(from.record.len(), to.record.len());
    bytes.copy_within(from.record, to.record.start);
    fs::write(&from.pack, &bytes).unwrap();
    assert!(matches!(world.lookup(&two), Lookup::Corrupt(_)));
    assert!(world.lookup(&one).hit().is_some());
}

#[test]
fn c6_a_record_cannot_claim_another_tree() {
    let world = World::new();
    let (digest, tree) = world.put(1, &[("f", b"1")]);
    let (_, other) = world.put(2, &[("f", b"2")]);
    let place = world.place("tree", &tree);
    unlock(&place);
    fs::rename(&place, world.dir.path().join("gone")).unwrap();
    unlock(&world.place("tree", &other));
    fs::rename(world.place("tree", &other), &place).unwrap();
    assert!(matches!(world.lookup(&digest), Lookup::Corrupt(_)));
}

#[test]
fn a_damaged_blob_is_removed_and_can_be_stored_again() {
    let world = World::new();
    let digest = world.store.put_blob(b"some bytes").unwrap();
    for damage in [&b"some bytez"[..], b"", b"some bytes and more"] {
        fs::write(world.place("blob", &digest), damage).unwrap();
        assert_eq!(world.store.blob(&digest).unwrap(), None);
        fs::create_dir_all(world.place("blob", &digest).parent().unwrap()).unwrap();
        fs::write(world.place("blob", &digest), damage).unwrap();
        world.store.put_blob(b"some bytes").unwrap();
        assert_eq!(world.store.blob(&digest).unwrap().unwrap(), b"some bytes");
    }
}

#[test]
fn c5_a_deleted_record_is_rewritten_from_its_built_tree() {
    let world = World::new();
    let mut builder = world.store.build_tree().unwrap();
    builder.add_bytes(&path("a"), b"first", false).unwrap();
    let tree = builder.finish().unwrap();
    for bytes in [None, Some(&b""[..]), Some(&b"waketre1 nonsense"[..])] {
        let file = world.place("manifest", &tree);
        let good = fs::read(&file).unwrap();
        match bytes {
            None => fs::remove_file(&file).unwrap(),
            Some(bytes) => fs::write(&file, bytes).unwrap(),
        }
        let found = world.store.tree(&tree).unwrap().hit().unwrap();
        assert_eq!(found.manifest.digest(), tree);
        assert_eq!(fs::read(&file).unwrap(), good);
    }
}

#[test]
fn directories_of_an_open_store_may_be_removed() {
    let world = World::new();
    put(&world.store, 1, FILES);
    for dir in ["tree", "action", "tmp", "memo", "blob"] {
        let at = world.store.root().join(dir);
        if at.exists() {
            fs::rename(&at, world.dir.path().join(dir)).unwrap();
        }
    }
    let other = Store::open(world.store.root()).unwrap();
    let (digest, _) = put(&other, 1, FILES);
    assert!(other.action(&digest).unwrap().hit().is_some());
}
