//! Edits during a build.
//!
//! Whether an edit comes in time or too late does not matter: the build after it must give what a build of a
//! fresh copy gives.

use std::fs;
use std::io::BufRead;

use wake_tests::Project;

use crate::scene::{TARGETS, settle, workspace_where};

/// Runs a build and does something as soon as a command has started.
fn build_and(project: &Project, edit: &dyn Fn(&Project)) {
    let mut child = project.json_build(TARGETS).spawn();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.by_ref().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("action.started")), "no action started");
    edit(project);
    // The rest is read so that the pipe never fills.
    lines.for_each(drop);
    child.wait().unwrap();
}

/// A name, and something that is done during a build.
type Edit = (&'static str, fn(&Project));

const EDITS: [Edit; 10] = [
    ("the data of the step that runs", |project| project.write("data", "two\n")),
    ("the data of another step", |project| project.write("in/a.txt", "A\n")),
    ("the data of a dependency", |project| project.write("lib/base", "BASE\n")),
    ("a text that a function reads", |project| project.write("text", "other")),
    ("a function", |project| project.edit("list.libsonnet", "'%d' %", "'%03d' %")),
    ("a new file for a glob", |project| project.write("in/c.txt", "c\n")),
    ("a file less for a glob", |project| fs::remove_file(project.path("in/a.txt")).unwrap()),
    ("a new package", |project| {
        project
            .write("in/deep/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('d', '1.0.0'))");
    }),
    ("a link", |project| {
        fs::remove_file(project.path("link")).unwrap();
        std::os::unix::fs::symlink("copy.sh", project.path("link")).unwrap();
    }),
    ("a result link", |project| {
        let _ = fs::remove_file(project.path(".wake/out/list"));
    }),
];

#[test]
fn edits_during_a_first_build() {
    for (what, edit) in EDITS {
        let project = workspace_where("sleep 0.5");
        build_and(&project, &edit);
        crate::scene::agrees(&project, what);
    }
}

#[test]
fn edits_during_a_build_from_the_snapshot() {
    for (what, edit) in EDITS {
        let project = settle(workspace_where("sleep 0.5"));
        project.write("data", "zero\n");
        build_and(&project, &edit);
        crate::scene::agrees(&project, what);
    }
}

/// Two edits of the same size within one tick of the clock.
#[test]
fn two_edits_of_the_same_size_in_a_row() {
    let project = settle(workspace_where("sleep 0.2"));
    for round in 0..5 {
        project.write("data", format!("a{round}\n"));
        build_and(&project, &|project| project.write("data", format!("b{round}\n")));
        crate::scene::agrees(&project, "the second edit");
    }
}

/// They read one snapshot, and each records its own changes to it.
#[test]
fn several_concurrent_builds() {
    let project = settle(workspace_where(""));
    for round in 0..8 {
        project.write("data", format!("{round}\n"));
        project.write("in/a.txt", format!("{round}\n"));
        let builds: Vec<_> = (0..4).map(|_| project.json_build(TARGETS).spawn()).collect();
        for build in builds {
            let output = build.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        crate::scene::agrees(&project, "after several builds at once");
    }
}
