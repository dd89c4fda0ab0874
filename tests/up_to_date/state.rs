//! The files below `.wake/state`, and their copies in the store for other checkouts, each damaged in turn.
//!
//! These tests do not know the format of these files. After each damage a data file gets new content of the same
//! size: a build that trusts a damaged file would leave the old result in place.

use std::fs;
use std::path::{Path, PathBuf};

use wake_tests::{Project, copy_tree};

use crate::scene::{TARGETS, holds, settled};

/// Every file below the state directory.
fn state_files(project: &Project) -> Vec<PathBuf> {
    let found = files_below(&project.path(".wake/state"));
    assert!(found.len() >= 2, "the state is expected to be files: {found:?}");
    found
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    fn below(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => below(&entry.path(), found),
                false => found.push(entry.path()),
            }
        }
    }
    let mut found = Vec::new();
    below(dir, &mut found);
    found.sort();
    found
}

/// The number of builds so far, so that the data is always new.
#[derive(Default)]
struct Rounds(u32);

impl Rounds {
    /// Checks that new data of the same size is noticed, and that the following build from the snapshot is right.
    #[track_caller]
    fn go(&mut self, project: &Project, what: &str) {
        self.0 += 1;
        let text = format!("{:07}\n", self.0);
        project.write("data", &text);
        let run = project.json_build(TARGETS).run();
        assert_eq!(run.code, 0, "{what}\n{run}");
        assert_eq!(project.result_text("//:copy", "out.txt"), format!("{text}base\n"), "{what}");
    }
}

/// Applies `damage` to each file of the state in turn, `times` times.
#[track_caller]
fn each(name: &str, times: usize, damage: impl Fn(&Path, usize)) {
    let project = settled();
    let mut rounds = Rounds::default();
    rounds.go(&project, "before any damage");
    for at in 0..state_files(&project).len() {
        for time in 0..times {
            // The previous build has restored the state.
            let Some(file) = state_files(&project).get(at).cloned() else { continue };
            damage(&file, time);
            let what = format!("{name} {time} of {}", file.display());
            rounds.go(&project, &what);
        }
    }
    holds(&project, &[]);
}

#[test]
fn removed_state() {
    each("removal", 1, |file, _| fs::remove_file(file).unwrap());
}

#[test]
fn empty_state() {
    each("emptying", 1, |file, _| fs::write(file, "").unwrap());
}

#[test]
fn truncated_state() {
    each("cut", 12, |file, time| {
        let bytes = fs::read(file).unwrap();
        let keep = if time == 0 { bytes.len() - 1 } else { bytes.len() * time / 12 };
        fs::write(file, &bytes[..keep]).unwrap();
    });
}

#[test]
fn state_with_trailing_bytes() {
    each("growth", 2, |file, time| {
        let mut bytes = fs::read(file).unwrap();
        let more = if time == 0 { vec![0; 4096] } else { bytes.clone() };
        bytes.extend(more);
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn state_with_one_bit_flipped() {
    each("flip", 40, |file, time| {
        let mut bytes = fs::read(file).unwrap();
        let at = bytes.len() * time / 40;
        bytes[at] ^= 1 << (time % 8);
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn state_with_a_range_of_zeros() {
    each("zeros", 10, |file, time| {
        let mut bytes = fs::read(file).unwrap();
        let (start, end) = (bytes.len() * time / 10, bytes.len() * (time + 1) / 10);
        bytes[start..end].fill(0);
        fs::write(file, bytes).unwrap();
    });
}

/// State written by an older or newer wake has another version in its header.
#[test]
fn state_of_another_version() {
    each("version", 2, |file, time| {
        let mut bytes = fs::read(file).unwrap();
        let Some(digit) = bytes.iter().take(32).position(u8::is_ascii_digit) else { return };
        bytes[digit] = if time == 0 { b'0' } else { b'9' };
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn random_state() {
    each("noise", 4, |file, time| {
        // Knuth's MMIX generator: the same noise in every run.
        let mut state = time as u64 + 1;
        let mut noise = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let length = fs::metadata(file).unwrap().len();
        fs::write(file, (0..length).map(|_| noise()).collect::<Vec<u8>>()).unwrap();
    });
}

/// A checkout without state starts from the state in the store.
#[test]
fn state_damaged_in_the_store() {
    const FLIPS: usize = 30;
    let project = settled();
    let kept = || files_below(&project.store().join("state"));
    assert!(!kept().is_empty(), "the store has no state");
    let mut rounds = Rounds::default();
    for time in 0..FLIPS + 4 {
        fs::remove_dir_all(project.path(".wake")).unwrap();
        for file in kept() {
            let mut bytes = fs::read(&file).unwrap();
            let length = bytes.len();
            match time.checked_sub(FLIPS) {
                None => bytes[length * time / FLIPS] ^= 1 << (time % 8),
                Some(0) => bytes.truncate(length / 2),
                Some(1) => bytes.truncate(length - 1),
                Some(2) => bytes.extend([0; 100]),
                Some(_) => bytes.clear(),
            }
            fs::write(&file, bytes).unwrap();
        }
        rounds.go(&project, &format!("damage {time}"));
    }
    holds(&project, &[]);
}

#[test]
fn state_replaced_by_a_directory() {
    let project = settled();
    let mut rounds = Rounds::default();
    for file in state_files(&project) {
        if fs::remove_file(&file).is_ok() {
            fs::create_dir(&file).unwrap();
            fs::write(file.join("inside"), "").unwrap();
        }
        rounds.go(&project, &file.display().to_string());
        rounds.go(&project, &file.display().to_string());
    }
}

/// Replaces the state of `project` by that in `saved`, omitting files with other names.
fn replace_state(project: &Project, saved: &Path) {
    fs::remove_dir_all(project.path(".wake/state")).unwrap();
    copy_tree(saved, &project.path(".wake/state"));
}

#[test]
fn state_of_another_checkout() {
    let (one, other) = (settled(), settled());
    other.write("data", "two\n");
    other.build(TARGETS);
    // Both under their own names and under those of the files they replace.
    let theirs: Vec<_> =
        state_files(&other).into_iter().map(|file| fs::read(file).unwrap()).collect();
    for (mine, theirs) in state_files(&one).into_iter().zip(theirs) {
        fs::write(mine, theirs).unwrap();
    }
    let mut rounds = Rounds::default();
    rounds.go(&one, "under its own names");
    replace_state(&one, &other.path(".wake/state"));
    rounds.go(&one, "under the names of the other");
    holds(&one, &[]);
}

#[test]
fn state_of_another_request() {
    let project = settled();
    project.build(&[":copy"]);
    project.build(&[":list"]);
    let files = state_files(&project);
    let texts: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    for (at, file) in files.iter().enumerate() {
        fs::write(file, &texts[(at + 1) % texts.len()]).unwrap();
    }
    Rounds::default().go(&project, "each under the name of the next");
    holds(&project, &[]);
}

#[test]
fn state_of_an_earlier_time() {
    let project = settled();
    let saved = project.base().join("saved");
    copy_tree(&project.path(".wake/state"), &saved);
    project.write("data", "two\n");
    project.write("in/c.txt", "c\n");
    project.build(TARGETS);
    replace_state(&project, &saved);
    // All results are already in the store.
    holds(&project, &[]);
    replace_state(&project, &saved);
    project.write("data", "one\n");
    std::fs::remove_file(project.path("in/c.txt")).unwrap();
    holds(&project, &[]);
}

/// Files of the state are used only together with those they were written with.
#[test]
fn state_that_mixes_an_earlier_and_a_later_time() {
    let project = settled();
    let (early, late) = (project.base().join("early"), project.base().join("late"));
    let change = |round: u32, into: &Path| {
        for step in 0..3 {
            project.write("data", format!("{round}{step}\n"));
            project.build(TARGETS);
        }
        copy_tree(&project.path(".wake/state"), into);
    };
    change(1, &early);
    // From now on, everything has another number.
    project.write("a/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('a', '1.0.0'))");
    project.write("in/0.txt", "0\n");
    change(2, &late);
    for file in state_files(&project) {
        let name = file.strip_prefix(project.path(".wake/state")).unwrap().to_owned();
        for (from, into) in [(&early, &late), (&late, &early)] {
            replace_state(&project, into);
            if fs::copy(from.join(&name), project.path(".wake/state").join(&name)).is_ok() {
                // The existing state is the later one, in the store and in the checkout.
                holds(&project, &[]);
            }
        }
    }
}

#[test]
fn all_state_removed_but_not_the_store() {
    let project = settled();
    let mut rounds = Rounds::default();
    for _ in 0..3 {
        fs::remove_dir_all(project.path(".wake")).unwrap();
        let build = project.build(TARGETS);
        assert_eq!(build.ran(), [] as [&str; 0]);
        assert_eq!(build.of_kind("evaluated").count(), 0, "the store's snapshot is not used");
        fs::remove_dir_all(project.path(".wake")).unwrap();
        rounds.go(&project, "without state");
        holds(&project, &[]);
        fs::remove_dir_all(project.path(".wake")).unwrap();
        project.write("in/more.txt", "more\n");
        project.write("in/deep/more", "more\n");
        holds(&project, &["//:list"]);
        fs::remove_dir_all(project.path(".wake")).unwrap();
        fs::remove_file(project.path("in/more.txt")).unwrap();
        fs::remove_file(project.path("in/deep/more")).unwrap();
        holds(&project, &[]);
        // Removed from the store as well, so that it must be listed again.
        project.write("in/a.txt", format!("{:?}", std::time::SystemTime::now()));
        project.build(TARGETS);
    }
}
