//! Mistakes with files, each with the complete message.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

#[track_caller]
fn check(builder: ProjectBuilder, code: i32, expected: Expect) {
    builder.build().wake(["build"]).run().code(code).says(expected);
}

/// A package with one module, so that its files are needed.
fn with_files(files: &str) -> ProjectBuilder {
    project().pkg(&format!("files={files}, modules={{ m: './m.libsonnet' }}")).module(
        "m.libsonnet",
        "m",
        "outputs=function(wake, pkg) {}",
    )
}

#[test]
fn a_missing_package_file_is_an_error() {
    check(
        project(),
        2,
        expect![[r#"
        error: no `PKG.libsonnet` in `[ROOT]` or any directory above it
         help: run `wake init` to create a package that builds
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_workspace_directory_without_a_package_file_is_an_error() {
    check(
        project().file("wake.toml", "[workspace]\n"),
        2,
        expect![[r#"
        error: no `PKG.libsonnet` in `[ROOT]` or any directory above it
         help: run `wake init` to create a package that builds
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_workspace_root_without_a_package_file_is_an_error() {
    let builder = project().file("wake.toml", "[workspace]\n").pkg_at("a", "a", "");
    check(
        builder,
        2,
        expect![[r#"
            error: no `PKG.libsonnet` in `[ROOT]` or any directory above it
             help: run `wake build //...` to build every package of the workspace
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn an_unknown_key_in_the_workspace_file_is_an_error() {
    check(
        project().file("wake.toml", "[workspace]\nmember = [\"a\"]\n"),
        2,
        expect![[r#"
        error: unknown field `member`, expected `members`
         --> wake.toml:2:1
          |
        2 | member = ["a"]
          | ^^^^^^
          help: did you mean `members`?
        [TIME] FAILED 1 error in [TIME]
    "#]],
    );
}

#[test]
fn a_missing_file_is_an_error() {
    check(
        with_files("['./main.c']").file("mian.c", ""),
        5,
        expect![[r#"
        error: there is no file `./main.c` in the package
         --> PKG.libsonnet:4:12
          |
        4 |     files=['./main.c'], modules={ m: './m.libsonnet' }
          |            ^^^^^^^^^^ did you mean `mian.c`?
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_missing_module_file_is_an_error() {
    check(
        project().pkg("modules={ m: './mm.libsonnet' }"),
        5,
        expect![[r#"
        error: there is no file `./mm.libsonnet` in the package
         --> PKG.libsonnet:4:18
          |
        4 |     modules={ m: './mm.libsonnet' }
          |                  ^^^^^^^^^^^^^^^^ did you mean `PKG.libsonnet`?
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_glob_without_a_match_is_an_error() {
    check(
        with_files("wake.dir('./src/*.c')").file("src/main.cc", ""),
        5,
        expect![[r#"
        error: `./src/*.c` matches no file in the package
         --> PKG.libsonnet:4:20
          |
        4 |     files=wake.dir('./src/*.c'), modules={ m: './m.libsonnet' }
          |                    ^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_missing_directory_is_an_error() {
    check(
        with_files("wake.dir('./source')").file("src/main.c", ""),
        5,
        expect![[r#"
        error: `./source` matches no file in the package
         --> PKG.libsonnet:4:20
          |
        4 |     files=wake.dir('./source'), modules={ m: './m.libsonnet' }
          |                    ^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_file_outside_the_package_is_an_error() {
    check(
        with_files("['./../other.c']"),
        5,
        expect![[r#"
        error: `./../other.c` leaves the package through `..`
         --> PKG.libsonnet:4:12
          |
        4 |     files=['./../other.c'], modules={ m: './m.libsonnet' }
          |            ^^^^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn an_absolute_path_is_an_error() {
    check(
        with_files("['/etc/passwd']"),
        5,
        expect![[r#"
        error: `/etc/passwd` is absolute: paths are relative to the package
         --> PKG.libsonnet:4:12
          |
        4 |     files=['/etc/passwd'], modules={ m: './m.libsonnet' }
          |            ^^^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_link_that_leaves_the_package_is_an_error() {
    check(
        with_files("['./passwd']").link("passwd", "/etc/passwd"),
        5,
        expect![[r#"
        error: file `./passwd` of // is a link to `/etc/passwd`, outside the package
         --> PKG.libsonnet:4:12
          |
        4 |     files=['./passwd'], modules={ m: './m.libsonnet' }
          |            ^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_link_that_climbs_out_of_the_package_is_an_error() {
    check(
        with_files("wake.dir('./in')").file("in/a", "").link("in/up", "../../home"),
        5,
        expect![[r#"
            error: file `./in/up` of // is a link to `../../home`, outside the package
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_link_inside_the_package_stays_a_link() {
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
fn a_pipe_is_not_a_file() {
    let project = with_files("['./pipe']").build();
    let made = std::process::Command::new("mkfifo").arg(project.path("pipe")).status().unwrap();
    assert!(made.success());
    project.wake(["build"]).run().code(5).says(expect![[r#"
        error: `./pipe` is not a file or link
         --> PKG.libsonnet:4:12
          |
        4 |     files=['./pipe'], modules={ m: './m.libsonnet' }
          |            ^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_directory_is_not_a_file() {
    check(
        with_files("['./in']").file("in/a", ""),
        5,
        expect![[r#"
        error: `./in` is a directory
         --> PKG.libsonnet:4:12
          |
        4 |     files=['./in'], modules={ m: './m.libsonnet' }
          |            ^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
          help: use wake.dir('./in') to list the files below it
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_file_name_that_is_not_utf8_is_an_error() {
    use std::os::unix::ffi::OsStrExt;
    let project = with_files("wake.dir('./in')").file("in/a", "").build();
    let name = std::ffi::OsStr::from_bytes(b"in/caf\xe9");
    std::fs::write(project.root().join(name), "").unwrap();
    project.wake(["build"]).run().code(5).says(expect![[r#"
        error: `in` contains a name that is not UTF-8: `caf�`
         --> PKG.libsonnet:4:20
          |
        4 |     files=wake.dir('./in'), modules={ m: './m.libsonnet' }
          |                    ^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn files_of_a_nested_package_belong_only_to_it() {
    check(
        with_files("['./sub/a.txt']")
            .pkg_at("sub", "sub", "files=['./a.txt']")
            .file("sub/a.txt", ""),
        5,
        expect![[r#"
            error: `./sub/a.txt` belongs to another package: `sub` contains a PKG.libsonnet
             --> PKG.libsonnet:4:12
              |
            4 |     files=['./sub/a.txt'], modules={ m: './m.libsonnet' }
              |            ^^^^^^^^^^^^^
              = note: pkg() is called at PKG.libsonnet:2:3
              help: add that package to `pkgs`, and refer to its file as 'pkg.key./path'
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_glob_stops_at_a_nested_package() {
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
fn narrowing_package_files_to_nothing_is_an_error() {
    check(
        project()
            .pkg("files=['./a.txt'], modules={ m: './m.libsonnet' }")
            .file("a.txt", "")
            .module("m.libsonnet", "m", "pkgFiles=['./b.txt'], outputs=function(wake, pkg) {}"),
        5,
        expect![[r#"
            error: `./b.txt` matches none of the package's `files`
             --> m.libsonnet:4:15
              |
            4 |     pkgFiles=['./b.txt'], outputs=function(wake, pkg) {}
              |               ^^^^^^^^^ did you mean `./a.txt`?
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}
