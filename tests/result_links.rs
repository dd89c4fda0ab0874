//! Result links: which module they belong to, and their removal together with it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;

use wake_tests::{Project, project};

/// Packages at the root and in `libs/x`, each with modules `a` and `b`.
fn scene() -> Project {
    let pkg = "files=['./s.sh'], modules={ a: './a.libsonnet', b: './b.libsonnet' }";
    let module =
        "outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./s.sh', config=config)";
    let mut project = project().file("wake.toml", "").pkg(pkg).pkg_at("libs/x", "x", pkg);
    for dir in ["", "libs/x/"] {
        for name in ["a", "b"] {
            project = project.module(&format!("{dir}{name}.libsonnet"), name, module);
        }
        project = project.script(&format!("{dir}s.sh"), "#!/bin/sh\ncat >o\n");
    }
    project.build()
}

fn links(project: &Project) -> Vec<String> {
    fn below(dir: &std::path::Path, name: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let own = format!("{name}{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => below(&entry.path(), &format!("{own}/"), found),
                false => found.push(own.split('@').next().unwrap().to_owned()),
            }
        }
    }
    let mut found = Vec::new();
    below(&project.path(".wake/out"), "", &mut found);
    found.sort();
    found
}

#[test]
fn the_link_of_a_removed_module_is_removed() {
    let project = scene();
    project.build(&["//..."]);
    project.build(&[":b", "--config", "x=1"]);
    assert_eq!(links(&project), ["a", "b", "b", "libs/x/a", "libs/x/b"]);
    symlink("/elsewhere", project.path(".wake/out/mine")).unwrap();
    project.edit("PKG.libsonnet", ", b: './b.libsonnet'", "");
    project.build(&[]);
    assert_eq!(links(&project), ["a", "libs/x/a", "libs/x/b", "mine"]);
}

#[test]
fn the_links_of_a_removed_package_are_removed() {
    let project = scene();
    project.build(&["//..."]);
    fs::remove_dir_all(project.path("libs/x")).unwrap();
    project.build(&["//..."]);
    assert_eq!(links(&project), ["a", "b"]);
    assert!(!project.path(".wake/out/libs").exists());
}

#[test]
fn the_plain_name_links_a_configuration_until_the_default_exists() {
    let project = scene();
    let said = || project.result_text("//:a", "o");
    project.build(&[":a", "--config", "x=1"]);
    assert_eq!(said(), "{\"x\":1}\n");
    project.build(&[":a", "--config", "x=2"]);
    assert_eq!(said(), "{\"x\":2}\n");
    project.build(&[":a"]);
    assert_eq!(said(), "{}\n");
    project.build(&[":a", "--config", "x=3"]);
    assert_eq!(said(), "{}\n");
    assert_eq!(links(&project), ["a", "a", "a", "a"]);
    project.build_runs_nothing(&[":a"]);
}

#[test]
fn the_plain_name_follows_when_a_file_changes() {
    let project = scene();
    project.build(&[":a", "--config", "x=1"]);
    project.edit("s.sh", "cat >o", "(echo more; cat) >o");
    project.build(&[":a", "--config", "x=1"]);
    assert_eq!(project.result_text("//:a", "o"), "more\n{\"x\":1}\n");
}
