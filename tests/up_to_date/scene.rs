//! The workspace of these tests, and the property that they check.

use std::collections::BTreeMap;

use wake_tests::{Build, Finished, Project, copy_tree, project, read_tree};

/// The labels of the steps whose results are linked.
pub(crate) const LABELS: [&str; 3] = ["//:copy", "//:list", "//lib:made"];

/// What is built.
pub(crate) const TARGETS: &[&str] = &["//..."];

/// A workspace with everything that a snapshot records: data files of one step each, a glob that a
/// function counts, a text that a function reads, a link, and a package that another one needs.
pub(crate) fn workspace() -> Project {
    workspace_where("")
}

/// The same, with shell commands at the start of the step `//:copy`.
pub(crate) fn workspace_where(copy_begins: &str) -> Project {
    project()
        .pkg(
            "files=['./data', './link', './copy.sh', './list.sh'] + wake.dir('./in'),\n    \
             inputs=function(wake, pkg) {\n      \
             count: std.length(wake.dir('./in/*.txt')), text: importstr './text',\n    },\n    \
             pkgs={ lib: wake.getPkg(wake.pkgInfo('lib', '1.0.0'), from='./lib') },\n    \
             modules={ copy: './copy.libsonnet', list: './list.libsonnet' }",
        )
        .file("text", "words")
        .file("data", "one\n")
        .link("link", "data")
        .file("in/a.txt", "a\n")
        .file("in/deep/b.txt", "b\n")
        .script("copy.sh", &format!("#!/bin/sh\nset -eu\n{copy_begins}\ncat link \"$1\" > out.txt\n"))
        .script(
            "list.sh",
            "#!/bin/sh\nset -eu\n{ echo \"$@\"; find in | sort; find in -type f -exec cat {} +; } > out.txt\n",
        )
        .module(
            "copy.libsonnet",
            "copy",
            "modules={ made: pkg.pkgs.lib.modules.made({}) },\n    \
             pkgFiles=['./data', './link', './copy.sh'],\n    \
             outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./copy.sh', args=[wake.ref('modules.made.output.text')])",
        )
        .module(
            "list.libsonnet",
            "list",
            "pkgFiles=['./in', './list.sh'], outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./list.sh', args=['%d' % pkg.inputs.count, pkg.inputs.text])",
        )
        .pkg_at("lib", "lib", "files=['./made.sh', './base'], modules={ made: './made.libsonnet' }")
        .file("lib/base", "base\n")
        .script("lib/made.sh", "#!/bin/sh\nset -eu\nsort base > out.txt\n")
        .module(
            "lib/made.libsonnet",
            "made",
            "outputs=function(wake, pkg) { text: './out.txt' }, exec=wake.exec('./made.sh')",
        )
        .build()
}

/// The workspace, built, and then built again from the snapshot alone.
pub(crate) fn settled() -> Project {
    settle(workspace())
}

/// The project, built until a build comes from the snapshot alone.
///
/// Files written a moment ago are not trusted until the clock has advanced.
#[track_caller]
pub(crate) fn settle(project: Project) -> Project {
    for _ in 0..100 {
        if is_at_once(&project.build(TARGETS)) {
            return project;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("no build comes from the snapshot alone");
}

/// Whether the build looked at no function and no step.
pub(crate) fn is_at_once(build: &Build) -> bool {
    let kinds = ["evaluated", "target.announced", "action.started", "action.finished"];
    let silent = kinds.iter().all(|kind| build.of_kind(kind).count() == 0);
    silent && build.count("total") > 0 && build.count("hit") == build.count("total")
}

/// Asserts that the build looked at no function and no step.
#[track_caller]
pub(crate) fn assert_at_once(build: &Build) {
    assert!(is_at_once(build), "a build with nothing to do says: {:#?}", build.events);
}

/// What the user sees of a build: the exit code, the errors, the results.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: i32,
    complaints: Vec<String>,
    results: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl Outcome {
    fn of(project: &Project, run: &Finished) -> Outcome {
        let events = run.events();
        let complaints = events.of_kind("diagnostic").map(|event| event["message"].to_string());
        let mut results = BTreeMap::new();
        for label in LABELS {
            // After a failure, the links are those of an earlier build.
            if run.code == 0 {
                results.insert(label.to_owned(), read_tree(&project.result(label, "")));
            }
        }
        Outcome { code: run.code, complaints: complaints.collect(), results }
    }
}

/// Asserts that the next build gives what a fresh copy of the checkout gives, running these steps;
/// so do the one after it and one of a copy that shares the store, running nothing.
#[track_caller]
pub(crate) fn holds(project: &Project, ran: &[&str]) {
    let run = project.json_build(TARGETS).run();
    let fresh = fresh_outcome(project);
    assert_eq!(Outcome::of(project, &run), fresh, "{run}");
    assert_eq!(run.events().ran(), ran, "{run}");

    let again = project.json_build(TARGETS).run();
    assert_eq!(Outcome::of(project, &again), fresh, "the build after it\n{again}");
    assert_eq!(again.events().ran(), [] as [&str; 0], "the build after it");

    let copy = wake_tests::project().build();
    copy_tree(project.root(), copy.root());
    let elsewhere = copy.json_build(TARGETS).store(project.store()).run();
    assert_eq!(Outcome::of(&copy, &elsewhere), fresh, "a copy that shares the store\n{elsewhere}");
    assert_eq!(elsewhere.events().ran(), [] as [&str; 0], "a copy that shares the store");
}

/// Asserts that the linked results in the checkout are those of a build of a fresh copy.
#[track_caller]
pub(crate) fn results_agree(project: &Project, what: &str) {
    let fresh = fresh_outcome(project);
    assert_eq!(fresh.code, 0, "{what}: {fresh:?}");
    for (label, tree) in &fresh.results {
        assert_eq!(&read_tree(&project.result(label, "")), tree, "{what}: {label}");
    }
}

/// The outcome of a build of a copy of the checkout with an empty store.
#[track_caller]
fn fresh_outcome(of: &Project) -> Outcome {
    let copy = project().build();
    copy_tree(of.root(), copy.root());
    let run = copy.json_build(TARGETS).run();
    Outcome::of(&copy, &run)
}

/// Asserts that the next build gives what a fresh copy of the checkout gives, whatever it runs; and so does the one
/// after it.
#[track_caller]
pub(crate) fn agrees(project: &Project, what: &str) {
    let fresh = fresh_outcome(project);
    for _ in 0..2 {
        let run = project.json_build(TARGETS).run();
        assert_eq!(Outcome::of(project, &run), fresh, "{what}\n{run}");
    }
}
