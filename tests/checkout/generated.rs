//! Random checkouts: anything may be at any path that wake opens.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use wake_tests::{Project, copy_of_binary, is_root};

use crate::scene::{Obstacle, bounded, canaries, give, victim};

/// The names that wake reads, writes or removes in a checkout; `KEY` is that of the request.
const PLACES: [&str; 26] = [
    "wake.toml",
    "wake.lock",
    "PKG.libsonnet",
    "m.libsonnet",
    "t.sh",
    "lib",
    "lib/PKG.libsonnet",
    ".wake",
    ".wake/.gitignore",
    ".wake/out",
    ".wake/out/m",
    ".wake/out/lib",
    ".wake/out/lib/n",
    ".wake/pkgs",
    ".wake/runs",
    ".wake/runs/00000000-00000000-00000000.jsonl",
    ".wake/state",
    ".wake/state/files",
    ".wake/state/history",
    ".wake/state/snapshot-KEY",
    ".wake/state/snapshot-KEY.proofs",
    ".wake/state/snapshot-KEY.delta",
    ".wake/state/snapshot-0123456789abcdef",
    ".wake/warehouse",
    ".wake/warehouse/abc",
    ".wake/state/.history.1-0",
];

/// What every build encounters, and therefore replaces or names.
const ALWAYS_MET: [&str; 6] =
    [".wake", ".wake/out", ".wake/out/m", ".wake/out/lib/n", ".wake/runs", ".wake/state"];

/// A source of numbers: SplitMix64, by Steele, Lea and Flood.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % most as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// The state of a checkout before it is built.
struct Trap {
    project: Project,
    put: Vec<(String, Obstacle)>,
    /// Whether something belongs to another user.
    is_strange: bool,
}

fn trap(chance: &mut Chance, store: &Path) -> Trap {
    let project = victim();
    let home = project.base().join("home");
    if chance.below(2) == 0 {
        project.wake(["build", "//..."]).store(store).run().success();
    }
    let key = fs::read_dir(project.path(".wake/state")).into_iter().flatten().flatten();
    let key = key.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_prefix("snapshot-")?.split('.').next()?.to_owned())
    });
    let key = key.last().unwrap_or_default();
    let mut put = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let place = chance.one_of(&PLACES).replace("KEY", &key);
        let obstacle = chance.one_of(&Obstacle::ALL);
        // A file of a package may have any size, and is read completely.
        let is_due = obstacle == Obstacle::Large && place == "t.sh";
        if !is_due && obstacle.put(&project.path(&place), &home) {
            // An earlier obstacle may be inside it or have been replaced by it.
            put.retain(|(before, _): &(String, Obstacle)| !before.starts_with(&place));
            put.push((place, obstacle));
        }
    }
    let decisive = project.path(chance.one_of(&["wake.toml", ".wake", ""]));
    // A directory named `wake.toml` does not mark a workspace.
    let is_decisive = fs::symlink_metadata(&decisive)
        .is_ok_and(|metadata| !(decisive.ends_with("wake.toml") && metadata.is_dir()));
    let is_strange = is_root() && is_decisive && chance.below(8) == 0;
    if is_strange {
        give(&decisive, 61_101);
    }
    Trap { project, put, is_strange }
}

/// The same file system object as before, not one that wake put there.
fn is_still_there(
    project: &Project,
    (home, store): (&Path, &Path),
    place: &str,
    obstacle: Obstacle,
) -> bool {
    let Ok(metadata) = fs::symlink_metadata(project.path(place)) else { return false };
    match obstacle {
        Obstacle::LinkToFile | Obstacle::LinkToDir | Obstacle::LinkToNothing => {
            fs::read_link(project.path(place)).is_ok_and(|target| target.starts_with(home))
        }
        Obstacle::LinkToItself | Obstacle::LinkToZeros => {
            fs::read_link(project.path(place)).is_ok_and(|target| !target.starts_with(store))
        }
        Obstacle::Pipe | Obstacle::Socket | Obstacle::Device => {
            !metadata.is_file() && !metadata.is_dir() && !metadata.is_symlink()
        }
        // These may be valid, or are replaced like any unreadable file.
        Obstacle::Dir | Obstacle::FullDir | Obstacle::Garbage | Obstacle::OtherName => false,
        Obstacle::Large => metadata.is_file() && metadata.len() > 1 << 30,
    }
}

fn checkouts() -> u64 {
    std::env::var("WAKE_TEST_CHECKOUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(500)
}

/// Builds once in each checkout; `WAKE_TEST_CHECKOUTS` sets their number.
#[test]
fn no_checkout_changes_anything_outside_it() {
    const THREADS: u64 = 4;
    let common = tempfile::tempdir().unwrap();
    let (store, program) = (common.path().join("store"), copy_of_binary(common.path()));
    let built = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for first in 0..THREADS {
            let (store, program, built) = (&store, &program, &built);
            scope.spawn(move || {
                for seed in (first..checkouts()).step_by(THREADS as usize) {
                    built.fetch_add(spring(seed, store, program).into(), Ordering::Relaxed);
                }
            });
        }
    });
    // Some builds fail, and some succeed.
    let built = built.into_inner();
    assert!(built * 20 > checkouts() && built * 20 < 19 * checkouts(), "{built} builds succeeded");
}

/// Whether a build in the checkout with this number succeeds.
fn spring(seed: u64, store: &Path, program: &Path) -> bool {
    let mut chance = Chance(seed);
    let Trap { project, put, is_strange } = trap(&mut chance, store);
    let home = project.base().join("home");
    let before = canaries(&home);
    let what = format!("seed {seed}: {put:?}, strange: {is_strange}");
    let call = |args: &[&str]| {
        let run = bounded(&project.wake(args).store(store).program(program), &what);
        let is_expected = matches!(run.code, 0..=7 | 10);
        assert!(is_expected && !run.stderr.contains("panicked"), "{what}: {run}");
        assert_eq!(canaries(&home), before, "{what}: {run}");
        run
    };
    let build = call(&["build", "//..."]);
    call(chance.one_of(&[
        &["build", "//..."][..],
        &["log"],
        &["log", "--records"],
        &["plan", "//..."],
        &["why", "//:m"],
        &["ls", "//..."],
        &["plan", "--format", "formula", "//:m"],
        &["log", "-o", "//:m"],
    ]));
    let said = &build.stderr;
    if is_strange {
        assert!(said.contains("belongs to another user"), "{what}: {build}");
        return false;
    }
    // A build that something else stopped earlier does not reach all of them.
    if put.iter().any(|(place, _)| !place.starts_with(".wake")) {
        return build.code == 0;
    }
    for (place, obstacle) in put.iter().filter(|(place, _)| ALWAYS_MET.contains(&place.as_str())) {
        let is_above = |(other, _): &(String, Obstacle)| {
            place.starts_with(&format!("{other}/")) && said.contains(other.as_str())
        };
        let is_said = said.contains(place.as_str()) || put.iter().any(is_above);
        let is_there = is_still_there(&project, (&home, store), place, *obstacle);
        assert!(is_said || !is_there, "{what}: `{place}` is not mentioned: {build}");
    }
    build.code == 0
}
