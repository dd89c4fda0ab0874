//! Mistakes in the user's Jsonnet, each with the complete message.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

/// Builds an invalid project, and compares the complete output.
#[track_caller]
fn check(builder: ProjectBuilder, expected: Expect) {
    builder.build().wake(["build"]).run().code(5).says(expected);
}

/// The same for the text of a `PKG.libsonnet`.
#[track_caller]
fn check_pkg(text: &str, expected: Expect) {
    check(project().file("PKG.libsonnet", text), expected);
}

/// The same for the arguments of `wake.pkg(…)` after name and version.
#[track_caller]
fn check_rest(rest: &str, expected: Expect) {
    check(project().pkg(rest).file("a.txt", "").file("data/b.txt", ""), expected);
}

#[test]
fn syntax_error() {
    check_pkg(
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('a', '1.0.0'),\n    files=['./a.txt',\n  )\n",
        expect![[r#"
            error: syntax error: expected an expression, got ')'
             --> PKG.libsonnet:5:3
              |
            5 |   )
              |   ^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn syntax_error_in_a_module_file() {
    check(
        project()
            .pkg("modules={ m: './m.libsonnet' }")
            .file("m.libsonnet", "function(wake pkg) 1\n"),
        expect![[r#"
            error: syntax error: expected ')', got identifier "pkg"
             --> m.libsonnet:1:15
              |
            1 | function(wake pkg) 1
              |               ^^^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn unknown_variable() {
    check_rest(
        "files=[nothing]",
        expect![[r#"
        error: undefined variable `nothing`
         --> PKG.libsonnet:4:12
          |
        4 |     files=[nothing]
          |            ^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn wrong_type() {
    check_rest(
        "files='./a.txt'",
        expect![[r#"
        error: `files` of pkg() must be a list of paths, not a string
         --> PKG.libsonnet:4:11
          |
        4 |     files='./a.txt'
          |           ^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn wrong_type_of_a_name() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('a', 1))\n",
        expect![[r#"
        error: `version` of pkgInfo() must be a string, not a number
         --> PKG.libsonnet:1:43
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('a', 1))
          |                                           ^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn wrong_type_after_non_ascii_text() {
    check_pkg(
        "function(wake)\n  wake.pkg(wake.pkgInfo('a', '1.0.0'), metadata={ author: 'Zoë Müller-Weiß' }, files=7)\n",
        expect![[r#"
            error: `files` of pkg() must be a list of paths, not a number
             --> PKG.libsonnet:2:86
              |
            2 |   wake.pkg(wake.pkgInfo('a', '1.0.0'), metadata={ author: 'Zoë Müller-Weiß' }, files=7)
              |                                                                                      ^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn unknown_argument() {
    check_rest(
        "fils=['./a.txt']",
        expect![[r#"
            error: unknown argument `fils` of pkg()
             --> PKG.libsonnet:4:5
              |
            4 |     fils=['./a.txt']
              |     ^^^^ did you mean `files`?
              = note: pkg() is called at PKG.libsonnet:2:3
              help: the arguments are pkgInfo, files, inputs, pkgs, modules, metadata, imports, options, profiles
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn unknown_function() {
    check_pkg(
        "function(wake) wake.pkgg(wake.pkgInfo('a', '1.0.0'))\n",
        expect![[r#"
        error: there is no field `pkgg`
         --> PKG.libsonnet:1:21
          |
        1 | function(wake) wake.pkgg(wake.pkgInfo('a', '1.0.0'))
          |                     ^^^^ did you mean `pkg`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn unknown_argument_of_a_module() {
    check(
        project().pkg("modules={ m: './m.libsonnet' }").module("m.libsonnet", "m", "outptus=1"),
        expect![[r#"
            error: unknown argument `outptus` of module()
             --> m.libsonnet:4:5
              |
            4 |     outptus=1
              |     ^^^^^^^ did you mean `outputs`?
              = note: module() is called at m.libsonnet:2:3
              help: the arguments are name, pkg, modules, files, inputs, outputs, exec, pkgFiles, metadata, label, test, tags
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn missing_argument() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('a'))\n",
        expect![[r#"
        error: argument `version` of pkgInfo() is missing
         --> PKG.libsonnet:1:25
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('a'))
          |                         ^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn not_a_function() {
    check_pkg(
        "{ name: 'a' }\n",
        expect![[r#"
        error: `PKG.libsonnet` must return function(wake) wake.pkg(...), not an object
         --> PKG.libsonnet:1:1
          |
        1 | { name: 'a' }
          | ^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn not_a_package() {
    check_pkg(
        "function(wake) { name: 'a' }\n",
        expect![[r#"
        error: `PKG.libsonnet` must return wake.pkg(...), not an object
         --> PKG.libsonnet:1:1
          |
        1 | function(wake) { name: 'a' }
          | ^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn invalid_name() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('My Package', '1.0.0'))\n",
        expect![[r#"
        error: `My Package` contains `M`: names consist of lower-case letters, digits, `_` and `-`, and start with a letter or digit
         --> PKG.libsonnet:1:38
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('My Package', '1.0.0'))
          |                                      ^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn name_too_long() {
    let name = "a".repeat(65);
    check_pkg(
        &format!("function(wake) wake.pkg(wake.pkgInfo('{name}', '1.0.0'))\n"),
        expect![[r#"
            error: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is longer than 64 characters
             --> PKG.libsonnet:1:38
              |
            1 | function(wake) wake.pkg(wake.pkgInfo('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '1.0.0'))
              |                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn invalid_version() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('a', '1.2'))\n",
        expect![[r#"
        error: `1.2` is not a semantic version: unexpected end of input while parsing minor version number
         --> PKG.libsonnet:1:43
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('a', '1.2'))
          |                                           ^^^^^
          help: a package needs an exact version with three numbers, such as 1.2.3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn invalid_requirement() {
    check_rest(
        "pkgs={ b: wake.getPkg(wake.pkgInfo('b', 'newest'), from='./b') }",
        expect![[r#"
        error: `newest` is not a version requirement: unexpected character 'n' while parsing major version number
         --> PKG.libsonnet:4:45
          |
        4 |     pkgs={ b: wake.getPkg(wake.pkgInfo('b', 'newest'), from='./b') }
          |                                             ^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn unknown_permission() {
    check_rest(
        "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', permissions=['defineGlobals']) }",
        expect![[r#"
            error: there is no permission `defineGlobals`
             --> PKG.libsonnet:4:76
              |
            4 |     pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', permissions=['defineGlobals']) }
              |                                                                            ^^^^^^^^^^^^^^^ did you mean `defineGlobal`?
              = note: pkg() is called at PKG.libsonnet:2:3
              help: the permissions are `defineGlobal` and `network`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn override_out_of_range() {
    check_rest(
        "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', global={ override: 101 }) }",
        expect![[r#"
            error: `global` of getPkg() must have an `override` from 1 to 100
             --> PKG.libsonnet:4:70
              |
            4 |     pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', global={ override: 101 }) }
              |                                                                      ^^^^^^^^^^^^^^^^^
              = note: pkg() is called at PKG.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn unknown_module() {
    check(
        project()
            .pkg("modules={ m: './m.libsonnet', lib: './lib.libsonnet' }")
            .module("lib.libsonnet", "lib", "outputs=function(wake, pkg) {}")
            .module("m.libsonnet", "m", "modules={ lib: pkg.modules.libb() }"),
        expect![[r#"
            error: there is no field `libb`
             --> m.libsonnet:4:32
              |
            4 |     modules={ lib: pkg.modules.libb() }
              |                                ^^^^ did you mean `lib`?
              = note: module() is called at m.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn import_outside_the_package() {
    check(
        project()
            .file("wake.toml", "[workspace]\n")
            .file("shared.libsonnet", "{}")
            .pkg("inputs=(import '../shared.libsonnet').inputs"),
        expect![[r#"
            error: cannot import `../shared.libsonnet`: the path leaves the package
             --> PKG.libsonnet:4:20
              |
            4 |     inputs=(import '../shared.libsonnet').inputs
              |                    ^^^^^^^^^^^^^^^^^^^^^
              = note: pkg() is called at PKG.libsonnet:2:3
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn missing_import() {
    check_rest(
        "metadata=import 'about.libsonnet'",
        expect![[r#"
        error: there is no file `about.libsonnet` to import
         --> PKG.libsonnet:4:21
          |
        4 |     metadata=import 'about.libsonnet'
          |                     ^^^^^^^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn error_raised_by_the_user() {
    check_rest(
        "files=if true then error 'choose a platform' else []",
        expect![[r#"
        error: choose a platform
         --> PKG.libsonnet:4:24
          |
        4 |     files=if true then error 'choose a platform' else []
          |                        ^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn endless_recursion() {
    check_rest(
        "metadata=(local f(n) = { a: n, b: f(n + 1).b }; f(0).b)",
        expect![[r#"
        error: evaluating `//` recurses deeper than its stack of 512 MiB
         help: check for a definition that refers to itself without end
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn endless_list() {
    check_rest(
        "metadata=std.range(1, 1000000000)",
        expect![[r#"
        error: the result contains more than 1000000 values, evaluating `//`
         --> PKG.libsonnet:4:14
          |
        4 |     metadata=std.range(1, 1000000000)
          |              ^^^^^^^^^^^^^^^^^^^^^^^^
          = note: pkg() is called at PKG.libsonnet:2:3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_package_that_fails_to_evaluate_does_not_affect_others() {
    let project = project()
        .file("wake.toml", "[workspace]\n")
        .pkg_at("bad", "bad", "metadata=(local f(n) = [f(n)[0]]; f(1)[0])")
        .pkg_at("good", "good", "files=['./go.sh'], modules={ m: './m.libsonnet' }")
        .module(
            "good/m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { x: './x' }, exec=wake.exec('./go.sh')",
        )
        .script("good/go.sh", "#!/bin/sh\ntouch x\n")
        .build();
    let run = project.wake(["--message-format", "json", "build", "-k", "//..."]).run().code(5);
    assert_eq!(run.events().ran(), ["//good:m"]);
}
