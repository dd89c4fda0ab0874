//! Garbage collection.

use std::fs::{self, FileTimes, OpenOptions};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use wake_model::{ActionDigest, TreeDigest};
use wake_store::ware::{
    ArchivePolicy, Meter, PackFilters, PackType, Unpack, UnpackFilters, WareCache, Warehouse, pack,
};
use wake_store::{GcEvent, GcMode, GcOptions, GcReport, Kind, Store};

use crate::world::{World, packed_in, packs, path, put_with_log, snapshot};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn gc(world: &World, options: GcOptions) -> GcReport {
    world.store.gc(&options, &mut |_| {}).unwrap()
}

fn set_age(file: &Path, age: Duration) {
    let times = FileTimes::new().set_modified(SystemTime::now() - age);
    OpenOptions::new().write(true).open(file).unwrap().set_times(times).unwrap();
}

/// Adds an action last used this many days ago, with one file of 64 KiB.
fn aged(world: &World, number: u64, days: u32) -> (ActionDigest, TreeDigest) {
    let bytes = vec![number as u8; 64 << 10];
    let (digest, tree) = world.put(number, &[("f", &bytes)]);
    world.packed(&digest).set_age(DAY * days);
    (digest, tree)
}

/// A checkout with one result link.
fn checkout(world: &World, name: &str, target: &Path) -> PathBuf {
    let out = world.dir.path().join(name).join(".wake/out");
    world.store.register_root(&out).unwrap();
    fs::create_dir_all(out.join("pkg")).unwrap();
    symlink(target, out.join("pkg/module")).unwrap();
    out
}

fn is_there(world: &World, digest: &ActionDigest) -> bool {
    world.lookup(digest).hit().is_some()
}

#[test]
fn without_limits_only_linked_results_are_kept() {
    let world = World::new();
    let (kept, tree) = world.put(1, &[("f", b"kept")]);
    let (deep, deep_tree) = world.put(2, &[("d/f", b"kept too")]);
    let (gone, gone_tree) = world.put(3, &[("f", b"gone")]);
    checkout(&world, "one", &world.place("tree", &tree));
    checkout(&world, "two", &world.place("tree", &deep_tree).join("d/f"));
    let report = gc(&world, GcOptions::default());
    assert_eq!((report.deleted, report.kept, report.rooted), (1, 2, 2));
    assert!(is_there(&world, &kept) && is_there(&world, &deep) && !is_there(&world, &gone));
    assert!(!world.place("tree", &gone_tree).exists());
    let left = packed_in(world.store.root());
    assert!(left.iter().all(|packed| packed.key != *gone.0.as_bytes()));
}

#[test]
fn a_dry_run_reports_the_same_and_changes_nothing() {
    let world = World::new();
    let (_, tree) = world.put(1, &[("f", b"kept")]);
    checkout(&world, "one", &world.place("tree", &tree));
    world.put(2, &[("f", b"gone")]);
    world.store.put_blob(b"gone").unwrap();
    let before = snapshot(world.store.root());
    let dry = gc(&world, GcOptions { mode: GcMode::DryRun, ..GcOptions::default() });
    assert_eq!(snapshot(world.store.root()), before);
    let real = gc(&world, GcOptions::default());
    assert_eq!(dry, real);
    assert_eq!(real.deleted, 2);
}

#[test]
fn a_mostly_empty_pack_is_rewritten_smaller() {
    let world = World::new();
    let kept = aged(&world, 0, 0).0;
    world.packed(&kept).set_age(DAY / 2);
    let gone: Vec<ActionDigest> = (1..10).map(|number| aged(&world, number, 40).0).collect();
    let size = || -> u64 {
        packs(world.store.root()).iter().map(|pack| pack.metadata().unwrap().len()).sum()
    };
    let before = size();
    gc(&world, GcOptions { older_than: Some(DAY * 30), ..GcOptions::default() });
    assert!(size() * 5 < before, "{} of {before}", size());
    // In this process, which has the old pack open, and in another.
    for store in [&world.store, &Store::open(world.store.root()).unwrap()] {
        assert!(store.action(&kept).unwrap().hit().is_some());
        assert!(gone.iter().all(|gone| store.action(gone).unwrap() == wake_store::Lookup::Miss));
    }
    // Its last use is preserved.
    gc(&world, GcOptions { older_than: Some(DAY / 3), ..GcOptions::default() });
    assert!(!is_there(&world, &kept));
    assert_eq!(packs(world.store.root()), [] as [PathBuf; 0]);
}

#[test]
fn a_record_without_its_tree_is_collected() {
    let world = World::new();
    let (kept, tree) = world.put(1, &[("f", b"kept")]);
    let (orphan, gone) = world.put(2, &[("f", b"gone")]);
    checkout(&world, "one", &world.place("tree", &tree));
    crate::world::unlock(&world.place("tree", &gone));
    fs::remove_dir_all(world.place("tree", &gone)).unwrap();
    let report = gc(&world, GcOptions::default());
    assert_eq!((report.deleted, report.kept), (1, 1));
    assert!(is_there(&world, &kept));
    assert!(world.store.action_record(&orphan).unwrap().is_none());
}

#[test]
fn content_older_than_the_limit_is_removed() {
    let world = World::new();
    let (old, _) = aged(&world, 1, 40);
    let (young, _) = aged(&world, 2, 20);
    let (rooted, tree) = aged(&world, 3, 400);
    checkout(&world, "one", &world.place("tree", &tree));
    gc(&world, GcOptions { older_than: Some(DAY * 30), ..GcOptions::default() });
    assert!(!is_there(&world, &old) && is_there(&world, &young) && is_there(&world, &rooted));
}

#[test]
fn the_longest_unused_content_is_removed_until_the_rest_fits() {
    let world = World::new();
    let ages = [5, 1, 9, 3, 7];
    let actions: Vec<_> = ages.iter().map(|days| aged(&world, u64::from(*days), *days).0).collect();
    let whole = world.store.du().unwrap()[&Kind::Tree].bytes;
    let report = gc(&world, GcOptions { max_size: Some(whole * 3 / 5), ..GcOptions::default() });
    assert_eq!(report.deleted, 2);
    assert!(report.kept_bytes <= whole * 3 / 5);
    let left: Vec<u32> = std::iter::zip(ages, &actions)
        .filter(|(_, action)| is_there(&world, action))
        .map(|(days, _)| days)
        .collect();
    assert_eq!(left, [5, 1, 3]);
}

#[test]
fn a_shared_output_has_the_age_of_its_youngest_action() {
    let world = World::new();
    let (old, tree) = world.put(1, &[("f", b"same")]);
    let (young, same) = world.put(2, &[("f", b"same")]);
    assert_eq!(tree, same);
    world.packed(&old).set_age(DAY * 400);
    gc(&world, GcOptions { older_than: Some(DAY * 30), ..GcOptions::default() });
    assert!(is_there(&world, &old) && is_there(&world, &young));
}

#[test]
fn the_log_of_a_kept_action_is_kept() {
    let world = World::new();
    let log = vec![b'x'; 100_000];
    let (kept, tree) = put_with_log(&world.store, 1, &[("f", b"kept")], &log);
    let stray = world.store.put_blob(b"of nobody").unwrap();
    checkout(&world, "one", &world.place("tree", &tree));
    gc(&world, GcOptions::default());
    let found = world.lookup(&kept).hit().unwrap();
    assert_eq!(world.store.log(&found, wake_store::Log::Stdout).unwrap().unwrap(), log);
    assert_eq!(world.store.blob(&stray).unwrap(), None);
}

#[test]
fn built_trees_and_the_memo_are_collected() {
    let world = World::new();
    let mut builder = world.store.build_tree().unwrap();
    builder.add_bytes(&path("a"), b"x", false).unwrap();
    let tree = builder.finish().unwrap();
    world.store.memo().put(tree.0, b"value".to_vec());
    world.store.flush_memo().unwrap();
    gc(&world, GcOptions { older_than: Some(DAY), ..GcOptions::default() });
    assert!(world.store.tree(&tree).unwrap().hit().is_some());
    gc(&world, GcOptions::default());
    assert!(world.store.tree(&tree).unwrap().hit().is_none());
    assert!(!world.place("manifest", &tree).exists());
    assert_eq!(Store::open(world.store.root()).unwrap().memo().get(&tree.0), None);
}

#[test]
fn c8_a_deleted_checkout_keeps_nothing_and_is_reported() {
    let world = World::new();
    let (digest, tree) = world.put(1, &[("f", b"x")]);
    let out = checkout(&world, "one", &world.place("tree", &tree));
    fs::remove_dir_all(world.dir.path().join("one")).unwrap();
    let report = gc(&world, GcOptions { older_than: Some(DAY), ..GcOptions::default() });
    assert_eq!((report.missing_roots, report.rooted), (vec![out.clone()], 0));
    assert!(is_there(&world, &digest));
    assert_eq!(world.store.roots().unwrap(), [out]);
    gc(&world, GcOptions::default());
    assert!(!is_there(&world, &digest));
}

#[test]
fn c8_a_checkout_missing_for_a_month_is_forgotten() {
    let world = World::new();
    world.store.register_root(&world.dir.path().join("gone")).unwrap();
    let registration = fs::read_dir(world.store.root().join("roots")).unwrap().next().unwrap();
    set_age(&registration.unwrap().path(), DAY * 31);
    gc(&world, GcOptions::default());
    assert!(world.store.roots().unwrap().is_empty());
}

#[test]
fn c8_foreign_and_dangling_links_do_no_harm() {
    let world = World::new();
    let (_, tree) = world.put(1, &[("f", b"x")]);
    let root = world.store.root().to_owned();
    for (number, target) in
        [root.clone(), root.join("tree"), root.join("tree/zz/nonsense"), "/".into(), "x".into()]
            .iter()
            .enumerate()
    {
        checkout(&world, &number.to_string(), target);
    }
    // A directory link inside the result directory must not be followed: it may lead anywhere.
    let out = checkout(&world, "loop", Path::new("/"));
    symlink(&out, out.join("myself")).unwrap();
    let report = gc(&world, GcOptions::default());
    assert_eq!((report.deleted, report.rooted), (1, 0));
    assert!(!world.place("tree", &tree).exists());
}

#[test]
fn registering_twice_gives_one_root() {
    let world = World::new();
    let out = world.dir.path().join("a/.wake/out");
    for _ in 0..2 {
        world.store.register_root(&out).unwrap();
    }
    assert_eq!(world.store.roots().unwrap(), [out]);
}

#[test]
fn collection_waits_for_users_of_the_store() {
    let world = World::new();
    let (digest, _) = world.put(1, &[("f", b"x")]);
    let builder = Store::open(world.store.root()).unwrap();
    let (said, heard) = mpsc::channel();
    std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let mut tell = |event: GcEvent<'_>| {
                if event == GcEvent::Waiting {
                    said.send(()).unwrap();
                }
            };
            world.store.gc(&GcOptions::default(), &mut tell).unwrap()
        });
        heard.recv().unwrap();
        // The collector is waiting: what is looked up now stays until this store is closed.
        let found = builder.action(&digest).unwrap().hit().unwrap();
        assert!(builder.tree_place(&found.tree()).exists());
        drop(builder);
        assert_eq!(collecting.join().unwrap().deleted, 1);
    });
}

#[test]
fn quarantined_content_is_removed_first() {
    let world = World::new();
    let (digest, tree) = world.put(1, &[("f", b"x")]);
    crate::world::unlock(&world.place("tree", &tree).join("f"));
    fs::write(world.place("tree", &tree).join("f"), "y").unwrap();
    assert!(!is_there(&world, &digest));
    assert_eq!(world.store.du().unwrap()[&Kind::Quarantine].count, 1);
    gc(&world, GcOptions { max_size: Some(u64::MAX), ..GcOptions::default() });
    assert_eq!(world.store.du().unwrap()[&Kind::Quarantine].count, 0);
}

/// Its files are as old as the ware declares; its last use is independent of that.
#[test]
fn an_unpacked_ware_is_collected_by_its_last_use() {
    let world = World::new();
    let tree = world.dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("f"), "text").unwrap();
    set_age(&tree.join("f"), DAY * 4000);
    let target = Warehouse::File(world.dir.path().join("packed"));
    let filters: PackFilters = "mtime=@1262304000".parse().unwrap();
    let ware = pack(&tree, PackType::Tree, filters, Some(&target)).unwrap();
    let cache = WareCache::new(&world.store.ware_cache_dir());
    let unpack = || {
        let (filters, cache) = (UnpackFilters::LOSSLESS, Some(&cache));
        let sources = std::slice::from_ref(&target);
        Unpack { ware: &ware, sources, filters, cache, policy: ArchivePolicy::WARE }
            .into_cache(&Meter::default())
            .unwrap()
    };
    let options = GcOptions { older_than: Some(DAY * 30), ..GcOptions::default() };
    let place = unpack().path;
    let seal = PathBuf::from(place.display().to_string().replace("/fileset/", "/seal/"));
    gc(&world, options);
    assert!(place.is_dir() && seal.is_file());

    // Using it makes it young again.
    set_age(&seal, DAY * 31);
    unpack();
    gc(&world, options);
    assert!(place.is_dir() && seal.is_file());

    set_age(&seal, DAY * 31);
    let report = gc(&world, options);
    assert!(!place.exists() && !seal.exists() && report.deleted == 1);
}
