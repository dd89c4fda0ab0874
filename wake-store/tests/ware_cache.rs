//! Unpacked wares in the cache: altered ones are detected and unpacked again.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use wake_store::ware::{
    ArchivePolicy, Cached, Meter, PackFilters, PackType, Unpack, UnpackError, UnpackFilters,
    UnpackReport, WareCache, WareId, Warehouse, pack,
};

/// A ware in a warehouse, and a cache.
struct Bed {
    dir: tempfile::TempDir,
    ware: WareId,
    cache: WareCache,
}

impl Bed {
    fn new(packtype: PackType) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("sub/empty")).unwrap();
        fs::create_dir(dir.path().join("warehouse")).unwrap();
        fs::write(tree.join("file"), "text\n").unwrap();
        fs::write(tree.join("sub/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(tree.join("sub/run"), Permissions::from_mode(0o755)).unwrap();
        symlink("file", tree.join("link")).unwrap();
        let warehouse = Warehouse::CaFile(dir.path().join("warehouse"));
        let ware = pack(&tree, packtype, PackFilters::LOSSLESS, Some(&warehouse)).unwrap();
        let cache = WareCache::new(&dir.path().join("cache"));
        Bed { dir, ware, cache }
    }

    fn unpack_from(&self, sources: &[Warehouse]) -> Result<UnpackReport, UnpackError> {
        let (filters, policy) = (UnpackFilters::LOSSLESS, ArchivePolicy::WARE);
        let cache = Some(&self.cache);
        Unpack { ware: &self.ware, sources, filters, cache, policy }.into_cache(&Meter::default())
    }

    fn sources(&self) -> [Warehouse; 1] {
        [Warehouse::CaFile(self.dir.path().join("warehouse"))]
    }

    fn unpack(&self) -> UnpackReport {
        self.unpack_from(&self.sources()).unwrap()
    }

    fn state(&self) -> Cached {
        self.cache.state(&self.ware, &self.sources())
    }

    /// Nobody can be asked for the ware any more.
    fn close_warehouse(&self) {
        fs::remove_dir_all(self.dir.path().join("warehouse")).unwrap();
    }

    /// Returns whether the ware is in the cache as it was packed.
    fn is_right(&self, place: &Path) -> bool {
        let whole = |tree: &Path| pack(tree, PackType::Tree, PackFilters::LOSSLESS, None).unwrap();
        whole(place) == whole(&self.dir.path().join("tree"))
    }
}

/// A name, and a modification of an unpacked ware.
type Harm = (&'static str, fn(&Path));

const HARM: [Harm; 9] = [
    ("other bytes of the same size and time", |root| {
        let file = File::options().write(true).open(root.join("file")).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        fs::write(root.join("file"), "TEXT\n").unwrap();
        file.set_modified(time).unwrap();
    }),
    ("an empty file", |root| drop(File::create(root.join("file")).unwrap())),
    ("other rights", |root| {
        fs::set_permissions(root.join("file"), Permissions::from_mode(0o600)).unwrap();
    }),
    ("a file more", |root| fs::write(root.join("sub/empty/more"), "").unwrap()),
    ("a file less", |root| fs::remove_file(root.join("sub/run")).unwrap()),
    ("a directory less", |root| fs::remove_dir(root.join("sub/empty")).unwrap()),
    ("another link, which a tar id leaves out", |root| {
        fs::remove_file(root.join("link")).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
    }),
    ("other rights at the top", |root| {
        fs::set_permissions(root, Permissions::from_mode(0o700)).unwrap();
    }),
    ("a file in place of it all", |root| {
        fs::remove_dir_all(root).unwrap();
        fs::write(root, "").unwrap();
    }),
];

#[test]
fn an_altered_ware_is_unpacked_again() {
    for packtype in [PackType::Tar, PackType::Tree] {
        for (what, harm) in HARM {
            let bed = Bed::new(packtype);
            let place = bed.unpack().path;
            assert_eq!(bed.unpack().cached, Cached::Untouched);
            harm(&place);
            assert_eq!(bed.state(), Cached::Altered, "{what}");
            let again = bed.unpack();
            assert_eq!((again.cached, &again.path), (Cached::Altered, &place), "{what}");
            assert!(bed.is_right(&place), "{what}");
            assert_eq!(bed.unpack().cached, Cached::Untouched, "{what}");
        }
    }
}

#[test]
fn an_altered_ware_is_not_used_even_without_a_warehouse() {
    let bed = Bed::new(PackType::Tar);
    fs::write(bed.unpack().path.join("file"), "TEXT\n").unwrap();
    bed.close_warehouse();
    let error = bed.unpack_from(&bed.sources()).unwrap_err();
    assert!(matches!(error, UnpackError::Warehouse(_)), "{error}");
}

/// The stamps differ then, and the content decides.
#[test]
fn a_restored_backup_needs_no_warehouse() {
    for packtype in [PackType::Tar, PackType::Tree] {
        let mut bed = Bed::new(packtype);
        bed.unpack();
        let (from, to) = (bed.dir.path().join("cache"), bed.dir.path().join("backup"));
        let copied = Command::new("cp").arg("-a").arg(&from).arg(&to).status().unwrap();
        assert!(copied.success());
        bed.cache = WareCache::new(&to);
        bed.close_warehouse();
        assert_eq!(bed.unpack().cached, Cached::Untouched);
        fs::write(bed.cache.place(&bed.ware).join("file"), "TEXT\n").unwrap();
        assert_eq!(bed.state(), Cached::Altered);
    }
}

fn seal(bed: &Bed) -> PathBuf {
    let place = bed.cache.place(&bed.ware).display().to_string();
    PathBuf::from(place.replace("/fileset/", "/seal/"))
}

#[test]
fn a_missing_or_invalid_seal_proves_nothing() {
    for text in [None, Some(""), Some("wake ware seal 3\n\n\n"), Some("wake ware seal 2\nxyz\n-\n")]
    {
        let bed = Bed::new(PackType::Tar);
        bed.unpack();
        match text {
            None => fs::remove_file(seal(&bed)).unwrap(),
            Some(text) => fs::write(seal(&bed), text).unwrap(),
        }
        assert_eq!(bed.unpack().cached, Cached::Altered, "{text:?}");
        assert_eq!(bed.unpack().cached, Cached::Untouched, "{text:?}");
    }
}

#[test]
fn concurrent_unpacks_leave_one_valid_tree() {
    let bed = Bed::new(PackType::Tree);
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(bed.is_right(&bed.unpack().path)));
            }
        });
        assert_eq!(bed.state(), Cached::Untouched);
        fs::write(bed.cache.place(&bed.ware).join("file"), "TEXT\n").unwrap();
    }
    let left: Vec<_> = fs::read_dir(bed.dir.path().join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".tmp"))
        .collect();
    assert_eq!(left, [] as [&str; 0]);
}

/// Two trees with one id, each in a warehouse of its own.
struct Twins {
    bed: Bed,
    other: Warehouse,
}

impl Twins {
    fn new(packtype: PackType, differ: fn(&Path)) -> Twins {
        let bed = Bed::new(packtype);
        let (tree, other) = (bed.dir.path().join("twin"), bed.dir.path().join("other"));
        let copied =
            Command::new("cp").arg("-a").arg(bed.dir.path().join("tree")).arg(&tree).status();
        assert!(copied.unwrap().success());
        let top = bed.dir.path().join("tree").metadata().unwrap().modified().unwrap();
        differ(&tree);
        File::open(&tree).unwrap().set_modified(top).unwrap();
        fs::create_dir(&other).unwrap();
        let other = Warehouse::CaFile(other);
        let ware = pack(&tree, packtype, PackFilters::LOSSLESS, Some(&other)).unwrap();
        assert_eq!(ware, bed.ware, "the id leaves out what differs");
        Twins { bed, other }
    }

    fn has(&self, place: &Path, tree: &str) -> bool {
        let whole = |tree: &Path| pack(tree, PackType::Tree, PackFilters::LOSSLESS, None).unwrap();
        whole(place) == whole(&self.bed.dir.path().join(tree))
    }
}

const DIFFERENCES: [fn(&Path); 3] = [
    |tree| {
        fs::remove_file(tree.join("link")).unwrap();
        symlink("sub/run", tree.join("link")).unwrap();
    },
    |tree| symlink("/bin/sh", tree.join("more")).unwrap(),
    |tree| fs::remove_file(tree.join("link")).unwrap(),
];

#[test]
fn a_tree_from_one_warehouse_is_not_reused_for_another() {
    for packtype in [PackType::Tar, PackType::Zip] {
        for differ in DIFFERENCES {
            let twins = Twins::new(packtype, differ);
            let (bed, other) = (&twins.bed, [twins.other.clone()]);
            let first = bed.unpack_from(&other).unwrap();
            let second = bed.unpack();
            assert_eq!((second.cached, second.ware), (Cached::Absent, bed.ware.clone()));
            assert_ne!(first.received, second.received);
            assert!(twins.has(&first.path, "twin") && twins.has(&second.path, "tree"));
            // Each is available to requests for it, even without its warehouse.
            bed.close_warehouse();
            assert_eq!(bed.unpack().path, second.path);
            assert_eq!(bed.unpack_from(&other).unwrap().path, first.path);
            // It is unknown what another order, or no warehouse, would have sent.
            let both = [bed.sources()[0].clone(), twins.other.clone()];
            assert_eq!(bed.cache.state(&bed.ware, &both), Cached::Absent);
            assert_eq!(bed.cache.state(&bed.ware, &[]), Cached::Absent);
            assert_eq!(bed.unpack_from(&both).unwrap().path, first.path);
            assert_eq!(bed.cache.state(&bed.ware, &both), Cached::Untouched);
        }
    }
}

#[test]
fn a_tree_fully_covered_by_its_id_is_shared() {
    let bed = Bed::new(PackType::Tree);
    let place = bed.unpack().path;
    bed.close_warehouse();
    assert_eq!(bed.unpack_from(&[]).unwrap().path, place);
}

#[test]
fn a_second_tree_with_one_id_is_verified_like_the_first() {
    let twins = Twins::new(PackType::Tar, DIFFERENCES[0]);
    twins.bed.unpack_from(std::slice::from_ref(&twins.other)).unwrap();
    let place = twins.bed.unpack().path;
    fs::write(place.join("file"), "TEXT\n").unwrap();
    assert_eq!(twins.bed.state(), Cached::Altered);
    let again = twins.bed.unpack();
    assert_eq!((again.cached, &again.path), (Cached::Altered, &place));
    assert!(twins.has(&place, "tree"));
}
