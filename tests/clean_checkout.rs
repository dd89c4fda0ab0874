//! A checkout without state, with a store that has results of the repository.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use wake_tests::{Build, Project, copy_tree, project};

const STEPS: [&str; 2] = ["//:one", "//:two"];

fn two_steps() -> Project {
    project()
        .pkg(
            "files=['./a.txt', './b.txt', './one.sh', './two.sh', './link'],\n    \
             modules={ one: './one.libsonnet', two: './two.libsonnet' }",
        )
        .file("a.txt", "a\n")
        .file("b.txt", "b\n")
        .link("link", "a.txt")
        .script("one.sh", "#!/bin/sh\ncat a.txt link > out.txt\n")
        .script("two.sh", "#!/bin/sh\ncat b.txt > out.txt\n")
        .module("one.libsonnet", "one", &step("'./a.txt', './link', './one.sh'", "one"))
        .module("two.libsonnet", "two", &step("'./b.txt', './two.sh'", "two"))
        .build()
}

fn step(files: &str, script: &str) -> String {
    format!(
        "pkgFiles=[{files}], outputs=function(wake, pkg) {{ text: './out.txt' }}, \
         exec=wake.exec('./{script}.sh')"
    )
}

/// The checkout's sources at another path, as in a fresh clone.
fn clone(project: &Project, name: &str) -> PathBuf {
    let place = project.base().join(name);
    copy_tree(project.root(), &place);
    let _ = fs::remove_dir_all(place.join(".wake"));
    place
}

fn build(project: &Project, clone: &Path) -> Build {
    project.json_build(&["//..."]).cwd(clone).run().success().events()
}

fn is_planned(build: &Build) -> bool {
    build.of_kind("evaluated").count() > 0
}

fn text(clone: &Path, module: &str) -> String {
    fs::read_to_string(clone.join(".wake/out").join(module).join("out.txt")).unwrap()
}

#[test]
fn results_of_another_checkout_are_compared_and_linked() {
    let project = two_steps();
    assert_eq!(project.build(&["//..."]).ran(), STEPS);
    let clone = clone(&project, "clone");
    let first = build(&project, &clone);
    assert!(!is_planned(&first));
    assert_eq!((first.ran().len(), first.count("hit")), (0, 2));
    assert_eq!((text(&clone, "one"), text(&clone, "two")), ("a\na\n".to_owned(), "b\n".to_owned()));
    // Its own state now replaces the store's.
    fs::remove_dir_all(project.store().join("state")).unwrap();
    assert!(!is_planned(&build(&project, &clone)));
}

#[test]
fn an_edited_file_reruns_only_what_it_affects() {
    let project = two_steps();
    project.build(&["//..."]);
    let clone = clone(&project, "clone");
    fs::write(clone.join("b.txt"), "c\n").unwrap();
    let first = build(&project, &clone);
    assert!(!is_planned(&first));
    assert_eq!(first.ran(), ["//:two"]);
    assert_eq!((text(&clone, "one"), text(&clone, "two")), ("a\na\n".to_owned(), "c\n".to_owned()));
    let why = project.wake(["why", ":two"]).cwd(&clone).run().success();
    assert!(why.stdout.contains("b.txt"), "{}", why.stdout);
    // The other checkout is unchanged.
    assert_eq!(project.result_text("//:two", "out.txt"), "b\n");
    project.build_runs_nothing(&["//..."]);
}

#[test]
fn recorded_state_of_an_edited_file_may_be_lost() {
    let project = two_steps();
    project.build(&["//..."]);
    let clone = clone(&project, "clone");
    fs::write(clone.join("b.txt"), "c\n").unwrap();
    assert_eq!(build(&project, &clone).ran(), ["//:two"]);
    // Builds record more until all signatures are older than a tick of the clock.
    std::thread::sleep(std::time::Duration::from_millis(50));
    build(&project, &clone);
    let (mut looked, state) = (0, clone.join(".wake/state"));
    for name in fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()) {
        // Each file alone: the others must not be trusted for different content.
        let file = state.join(&name);
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        fs::remove_file(clone.join(".wake/out/two")).unwrap();
        assert!(build(&project, &clone).ran().is_empty(), "{name:?}");
        assert_eq!(text(&clone, "two"), "c\n", "{name:?}");
        fs::write(&file, bytes).unwrap();
        assert!(build(&project, &clone).ran().is_empty(), "{name:?} is restored");
        assert_eq!(text(&clone, "two"), "c\n", "{name:?} is restored");
        looked += 1;
    }
    assert!(looked > 2, "the snapshot, its proof for this checkout, and the differences");
    fs::write(clone.join("b.txt"), "b\n").unwrap();
    assert!(build(&project, &clone).ran().is_empty());
    assert_eq!(text(&clone, "two"), "b\n");
}

#[test]
fn an_edited_function_or_link_is_planned_again() {
    let project = two_steps();
    project.build(&["//..."]);
    let edited = clone(&project, "edited");
    let source = fs::read_to_string(edited.join("two.libsonnet")).unwrap();
    fs::write(edited.join("two.libsonnet"), source.replace("two.sh", "one.sh")).unwrap();
    fs::write(edited.join("one.sh"), "#!/bin/sh\necho new > out.txt\n").unwrap();
    let first = project.json_build(&["//..."]).cwd(&edited).run().success().events();
    assert!(is_planned(&first));
    assert_eq!(
        (text(&edited, "one"), text(&edited, "two")),
        ("new\n".to_owned(), "new\n".to_owned())
    );

    let linked = clone(&project, "linked");
    fs::remove_file(linked.join("link")).unwrap();
    std::os::unix::fs::symlink("one.sh", linked.join("link")).unwrap();
    assert!(is_planned(&build(&project, &linked)));
    assert_eq!(text(&linked, "one"), "a\n#!/bin/sh\ncat a.txt link > out.txt\n");
}

#[test]
fn an_added_package_is_found() {
    let project = two_steps();
    project.build(&["//..."]);
    let clone = clone(&project, "clone");
    fs::create_dir(clone.join("more")).unwrap();
    for file in [
        "PKG.libsonnet",
        "one.libsonnet",
        "two.libsonnet",
        "one.sh",
        "two.sh",
        "a.txt",
        "b.txt",
        "link",
    ] {
        let (from, to) = (clone.join(file), clone.join("more").join(file));
        fs::copy(from, to).unwrap();
    }
    let pkg = fs::read_to_string(clone.join("more/PKG.libsonnet")).unwrap();
    fs::write(
        clone.join("more/PKG.libsonnet"),
        pkg.replacen("wake.pkgInfo('", "wake.pkgInfo('more-", 1),
    )
    .unwrap();
    let first = build(&project, &clone);
    assert!(is_planned(&first));
    assert_eq!(fs::read_to_string(clone.join(".wake/out/more/two/out.txt")).unwrap(), "b\n");
}

#[test]
fn a_damaged_state_is_ignored() {
    let project = two_steps();
    project.build(&["//..."]);
    let dir = project.store().join("state");
    let states: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [state] = states.as_slice() else { panic!("one state: {states:?}") };
    let whole = fs::read(state).unwrap();
    let step = whole.len() / 9;
    for (number, at) in (0..whole.len()).step_by(step).enumerate() {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        let damaged = if number % 2 == 0 { altered } else { whole[..at].to_vec() };
        // Replaced, because the checkout that created it may have the same file.
        fs::remove_file(state).unwrap();
        fs::write(state, damaged).unwrap();
        let clone = clone(&project, &format!("clone-{number}"));
        let built = build(&project, &clone);
        assert_eq!((built.ran().len(), built.count("hit")), (0, 2), "at {at}");
        assert_eq!(
            (text(&clone, "one"), text(&clone, "two")),
            ("a\na\n".to_owned(), "b\n".to_owned())
        );
    }
}

#[test]
fn a_result_missing_from_the_store_is_built_again() {
    let project = two_steps();
    project.build(&["//..."]);
    let tree = fs::canonicalize(project.path(".wake/out/two")).unwrap();
    fs::remove_dir_all(&tree).unwrap();
    let clone = clone(&project, "clone");
    assert_eq!(build(&project, &clone).ran(), ["//:two"]);
    assert_eq!(text(&clone, "two"), "b\n");
}
