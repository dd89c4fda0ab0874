//! Sequences of edits, in a pseudo-random order that is the same in every run.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use wake_tests::Project;

use crate::scene::{TARGETS, agrees, settled};

/// Knuth's MMIX generator, whose high bits are the best.
pub(crate) struct Choice(pub(crate) u64);

impl Choice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// A name, and something done to a checkout; the number selects a variant.
pub(crate) type Edit = (&'static str, fn(&Project, usize));

pub(crate) const EDITS: [Edit; 18] = [
    ("data", |p, n| p.write("data", format!("{n}\n"))),
    ("data of the same time", |p, n| {
        let time = fs::metadata(p.path("data")).unwrap().modified().unwrap();
        p.write("data", format!("{n}\n"));
        File::options().append(true).open(p.path("data")).unwrap().set_modified(time).unwrap();
    }),
    ("base", |p, n| p.write("lib/base", if n % 2 == 0 { "b\na\n" } else { "a\nb\n" })),
    ("text", |p, n| p.write("text", format!("words{n}"))),
    ("a file that comes or goes", |p, n| toggle(p, &format!("in/{n}.txt"))),
    ("a file below that comes or goes", |p, n| toggle(p, &format!("in/deep/{n}"))),
    ("a directory that comes or goes", |p, n| {
        let dir = p.path(&format!("in/dir{n}"));
        if fs::remove_dir_all(&dir).is_err() {
            fs::create_dir(&dir).unwrap();
        }
    }),
    ("a rename", |p, _| {
        if fs::rename(p.path("in/a.txt"), p.path("in/z.txt")).is_err() {
            fs::rename(p.path("in/z.txt"), p.path("in/a.txt")).unwrap();
        }
    }),
    ("an executable bit", |p, n| {
        let mode = if n % 2 == 0 { 0o755 } else { 0o644 };
        fs::set_permissions(p.path("in/deep/b.txt"), Permissions::from_mode(mode)).unwrap();
    }),
    ("a link", |p, n| {
        fs::remove_file(p.path("link")).unwrap();
        symlink(if n % 2 == 0 { "data" } else { "copy.sh" }, p.path("link")).unwrap();
    }),
    ("a touch", |p, n| p.touch(["data", "text", "in/deep/b.txt", "copy.sh"][n])),
    ("a time in the future", |p, _| {
        let file = File::options().append(true).open(p.path("data")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(1_000_000)).unwrap();
    }),
    ("a comment", |p, n| {
        let text = p.read("list.libsonnet");
        let code = text.split_once("function").unwrap().1.to_owned();
        p.write("list.libsonnet", format!("// {n}\nfunction{code}"));
    }),
    ("a function", |p, n| {
        let text = p.read("list.libsonnet");
        let rest = text.split_once("' % pkg").unwrap().1.to_owned();
        let start = text.split_once("args=['").unwrap().0.to_owned();
        p.write("list.libsonnet", format!("{start}args=['{n}-%d' % pkg{rest}"));
    }),
    ("a package that comes or goes", |p, _| {
        if fs::remove_dir_all(p.path("more")).is_err() {
            p.write("more/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('more', '1.0.0'))");
        }
    }),
    ("a result link", |p, n| {
        let _ = fs::remove_file(
            p.path([".wake/out/list", ".wake/out/copy", ".wake/out/lib/made", ".wake/out/list"][n]),
        );
    }),
    ("the state", |p, n| {
        let _ = fs::remove_dir_all(p.path(if n == 0 { ".wake" } else { ".wake/state" }));
    }),
    ("another request", |p, n| {
        p.json_build(&[[":copy", ":list", "//lib", "//..."][n]]).run();
    }),
];

fn toggle(project: &Project, path: &str) {
    if fs::remove_file(project.path(path)).is_err() {
        project.write(path, path);
    }
}

#[track_caller]
fn sequence(seed: u64) {
    let project = settled();
    let mut choice = Choice(seed);
    let mut done = Vec::new();
    for _ in 0..25 {
        for _ in 0..=choice.below(3) {
            let ((name, edit), number) = (EDITS[choice.below(EDITS.len())], choice.below(4));
            edit(&project, number);
            done.push(format!("{name} {number}"));
            if choice.below(3) == 0 {
                project.json_build(TARGETS).run();
                done.push("build".to_owned());
            }
        }
        agrees(&project, &format!("seed {seed}: {}", done.join(", ")));
    }
}

#[test]
fn a_first_sequence_of_edits() {
    sequence(1);
}

#[test]
fn a_second_sequence_of_edits() {
    sequence(2);
}
