//! Mistakes about files, each with the whole text that the user gets.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

#[track_caller]
fn check(builder: ProjectBuilder, code: i32, expected: Expect) {
    builder.build().wake(["build"]).run().code(code).says(expected);
}

/// A package with one module, so that its files are wanted.
fn with_files(files: &str) -> ProjectBuilder {
    project().pkg(&format!("files={files}, modules={{ m: './m.libsonnet' }}")).module(
        "m.libsonnet",
        "m",
        "outputs=function(wake, pkg) {}",
    )
}

#[test]
fn no_package_file() {
    check(project(), 2, expect![[""]]);
}

#[test]
fn no_package_file_in_a_workspace() {
    check(project().file("wake.toml", "[workspace]\n"), 2, expect![[""]]);
}

#[test]
fn a_workspace_file_with_an_unknown_key() {
    check(project().file("wake.toml", "[workspace]\nmember = [\"a\"]\n"), 2, expect![[""]]);
}

#[test]
fn a_missing_file() {
    check(with_files("['./main.c']").file("mian.c", ""), 5, expect![[""]]);
}

#[test]
fn a_missing_module_file() {
    check(project().pkg("modules={ m: './mm.libsonnet' }"), 5, expect![[""]]);
}

#[test]
fn a_glob_without_a_match() {
    check(with_files("wake.dir('./src/*.c')").file("src/main.cc", ""), 5, expect![[""]]);
}

#[test]
fn a_directory_that_is_not_there() {
    check(with_files("wake.dir('./source')").file("src/main.c", ""), 5, expect![[""]]);
}

#[test]
fn a_file_outside_of_the_package() {
    check(with_files("['./../other.c']"), 5, expect![[""]]);
}

#[test]
fn an_absolute_path() {
    check(with_files("['/etc/passwd']"), 5, expect![[""]]);
}

#[test]
fn a_path_without_a_dot() {
    check(with_files("['main.c']").file("main.c", ""), 5, expect![[""]]);
}

#[test]
fn a_link_that_leaves_the_package() {
    check(with_files("['./passwd']").link("passwd", "/etc/passwd"), 5, expect![[""]]);
}

#[test]
fn a_link_that_climbs_out_of_the_package() {
    check(
        with_files("wake.dir('./in')").file("in/a", "").link("in/up", "../../home"),
        5,
        expect![[""]],
    );
}

#[test]
fn a_link_inside_of_the_package_stays_a_link() {
    let project = project()
        .step("link", "readlink in/b > out.txt")
        .file("in/a", "")
        .link("in/b", "a")
        .build();
    project.edit("PKG.libsonnet", "['./step.sh']", "wake.dir('./in') + ['./step.sh']");
    project.build(&[]);
    assert_eq!(project.result_text("//:link", "out.txt"), "a\n");
}

#[test]
fn a_device() {
    let project = with_files("wake.dir('./in')").file("in/a", "").build();
    let made = std::process::Command::new("mkfifo").arg(project.path("in/pipe")).status().unwrap();
    assert!(made.success());
    project.wake(["build"]).run().code(5).says(expect![[""]]);
}

#[test]
fn a_name_that_is_not_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let project = with_files("wake.dir('./in')").file("in/a", "").build();
    let name = std::ffi::OsStr::from_bytes(b"in/caf\xe9");
    std::fs::write(project.root().join(name), "").unwrap();
    project.wake(["build"]).run().code(5).says(expect![[""]]);
}

#[test]
fn the_files_of_a_package_inside_belong_to_it_alone() {
    check(
        with_files("['./sub/a.txt']")
            .pkg_at("sub", "sub", "files=['./a.txt']")
            .file("sub/a.txt", ""),
        5,
        expect![[""]],
    );
}

#[test]
fn a_glob_stops_at_a_package_inside() {
    let project = project()
        .step("list", "find in -type f > out.txt")
        .file("in/a", "")
        .pkg_at("in/sub", "sub", "files=['./b']")
        .file("in/sub/b", "")
        .build();
    project.edit("PKG.libsonnet", "['./step.sh']", "wake.dir('./in') + ['./step.sh']");
    project.build(&[]);
    assert_eq!(project.result_text("//:list", "out.txt"), "in/a\n");
}

#[test]
fn package_files_that_a_module_narrows_to_nothing() {
    check(
        project()
            .pkg("files=['./a.txt'], modules={ m: './m.libsonnet' }")
            .file("a.txt", "")
            .module("m.libsonnet", "m", "pkgFiles=['./b.txt'], outputs=function(wake, pkg) {}"),
        5,
        expect![[""]],
    );
}
