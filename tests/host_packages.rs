//! Packages of the distribution as a root file system. Needs a machine whose packages are dpkg's.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use wake_tests::{Project, project, skip};

/// A step `m` in a root of the packages `names`, which runs the shell script `script`.
fn step(names: &str, script: &str) -> Project {
    project()
        .pkg(&format!(
            "modules={{ m: function(wake, pkg) wake.module('m', outputs=function(wake, pkg) {{ text: './out.txt' }},\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', '{script}'], rootfs=wake.host(packages={names}))) }},"
        ))
        .build()
}

fn has_dpkg(test: &str) -> bool {
    let there = Path::new("/var/lib/dpkg/status").is_file();
    if !there {
        skip(test, "there is no database of dpkg");
    }
    there
}

#[test]
fn only_the_packages_and_what_they_need_are_seen() {
    if !has_dpkg("only_the_packages_and_what_they_need_are_seen") {
        return;
    }
    let script = "while read name rest; do echo $name; done < /etc/wake/packages > out.txt; whoami >> out.txt; test ! -e /usr/bin/python3";
    let project = step("['dash', 'coreutils']", script);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    let text = project.result_text("//:m", "out.txt");
    for there in ["dash", "coreutils", "libc6", "wake"] {
        assert!(text.lines().any(|line| line == there), "no `{there}` in {text}");
    }
    assert!(!text.contains("python"), "{text}");
    project.build_runs_nothing(&[]);
}

#[test]
fn a_compiler_compiles_in_its_packages() {
    if !has_dpkg("a_compiler_compiles_in_its_packages") {
        return;
    }
    let script = "echo \"int main(void) { return 0; }\" > a.c; cc a.c -o out.txt && ./out.txt";
    step("['gcc', 'libc6-dev', 'dash']", script).build(&[]);
}

#[test]
fn what_is_not_installed_is_named() {
    if !has_dpkg("what_is_not_installed_is_named") {
        return;
    }
    let says = |names: &str, code: i32, text: &str| {
        step(names, "true").wake(["build"]).run().code(code).mentions(text);
    };
    says("['dahs']", 10, "the package `dahs` is not installed");
    says(
        "['dahs']",
        10,
        "did you mean `dash`? If there is a `dahs`, `apt install dahs` installs it",
    );
    says("[]", 5, "`packages` of host() names no package");
    says("['No Such']", 5, "`No Such` is no name of a package of the distribution");
}
