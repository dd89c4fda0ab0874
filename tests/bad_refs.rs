//! References that do not resolve, at each step of their path, each with the complete message.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

/// Builds an invalid project, and compares the complete output.
#[track_caller]
fn check(builder: ProjectBuilder, expected: Expect) {
    builder.build().wake(["build"]).run().code(5).says(expected);
}

/// A package whose inputs function is one ref, and a dependency that the ref can lead into.
fn walk(reference: &str) -> ProjectBuilder {
    project()
        .pkg(&format!(
            "pkgs={{ zlib: wake.getPkg(wake.pkgInfo('zlib', '^1'), from='./zlib') }},\n    \
             inputs=function(wake, pkg) {{ level: 3, found: wake.ref({reference}) }},\n    \
             modules={{ m: './m.libsonnet' }}, files=['./a.txt']"
        ))
        .module("m.libsonnet", "m", "outputs=function(wake, pkg) {}")
        .file("a.txt", "")
        .pkg_at(
            "zlib",
            "zlib",
            "files=['./zlib.h'], inputs=function(wake, pkg) { flags: { debug: ['-g'] } }",
        )
        .file("zlib/zlib.h", "")
}

#[test]
fn a_ref_with_an_unknown_start() {
    check(
        walk("'inptus.level'"),
        expect![[r#"
        error: cannot resolve `inptus.level`: `inptus` does not start a reference: expected `./`, `input`, `output`, `pkg` or `module`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('inptus.level') },
          |                                                            ^^^^^^^^^^^^^^ did you mean `inputs`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_without_a_key() {
    check(
        walk("'pkg'"),
        expect![[r#"
        error: cannot resolve `pkg`: a key is missing after `pkg`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg') },
          |                                                            ^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_package() {
    check(
        walk("'pkg.zlb.input.flags'"),
        expect![[r#"
        error: cannot resolve `pkg.zlb.input.flags`: `pkgs` has no `zlb`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg.zlb.input.flags') },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^ did you mean `zlib`?
          help: `pkgs` has `zlib`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_input() {
    check(
        walk("'pkg.zlib.input.flgs'"),
        expect![[r#"
        error: cannot resolve `pkg.zlib.input.flgs`: `pkgs.zlib.inputs` has no `flgs`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg.zlib.input.flgs') },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^ did you mean `flags`?
          help: `pkgs.zlib.inputs` has `flags`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_key_of_a_value() {
    check(
        walk("'pkg.zlib.input.flags.release'"),
        expect![[r#"
        error: cannot resolve `pkg.zlib.input.flags.release`: `pkgs.zlib.inputs.flags` has no `release`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg.zlib.input.flags.release') },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: `pkgs.zlib.inputs.flags` has `debug`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_beyond_the_end_of_a_list() {
    check(
        walk("'pkg.zlib.input.flags.debug.1'"),
        expect![[r#"
        error: cannot resolve `pkg.zlib.input.flags.debug.1`: `pkgs.zlib.inputs.flags.debug` is a list of length 1 and has no element `1`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg.zlib.input.flags.debug.1') },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_into_a_value_that_has_no_keys() {
    check(
        walk("['pkg', 'zlib', 'input', 'flags', 'debug', '0', 'x']"),
        expect![[r#"
        error: cannot resolve `['pkg', 'zlib', 'input', 'flags', 'debug', '0', 'x']`: `pkgs.zlib.inputs.flags.debug.0` is a string, which has no `x`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref(['pkg', 'zlib', 'input', 'flags', 'debug', '0', 'x']) },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_file() {
    check(
        walk("'./b.txt'"),
        expect![[r#"
        error: cannot resolve `./b.txt`: `./b.txt` is not in the package's `files`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('./b.txt') },
          |                                                            ^^^^^^^^^ did you mean `./a.txt`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_file_of_another_package() {
    check(
        walk("'pkg.zlib./zlb.h'"),
        expect![[r#"
        error: cannot resolve `pkg.zlib./zlb.h`: `./zlb.h` is not in the `files` of `pkgs.zlib`
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('pkg.zlib./zlb.h') },
          |                                                            ^^^^^^^^^^^^^^^^^ did you mean `./zlib.h`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_a_module_in_a_package_file() {
    check(
        walk("'module.m.output.text'"),
        expect![[r#"
        error: cannot resolve `module.m.output.text`: a package cannot refer to modules, because they are built from packages
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('module.m.output.text') },
          |                                                            ^^^^^^^^^^^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_ref_to_an_output_in_a_package_file() {
    check(
        walk("'output.text'"),
        expect![[r#"
        error: cannot resolve `output.text`: a module's outputs do not exist until it has run
         --> PKG.libsonnet:5:60
          |
        5 |     inputs=function(wake, pkg) { level: 3, found: wake.ref('output.text') },
          |                                                            ^^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

/// A package with a module that depends on another one.
fn two_modules(rest: &str) -> ProjectBuilder {
    project()
        .pkg("modules={ m: './m.libsonnet', lib: './lib.libsonnet' }, files=['./go.sh']")
        .script("go.sh", "#!/bin/sh\ntouch lib.a\n")
        .module(
            "lib.libsonnet",
            "lib",
            "outputs=function(wake, pkg) { archive: './lib.a' }, exec=wake.exec('./go.sh')",
        )
        .module("m.libsonnet", "m", &format!("modules={{ lib: pkg.modules.lib() }}, {rest}"))
}

#[test]
fn a_ref_to_an_unknown_module() {
    check(
        two_modules("exec=wake.exec('./go.sh', args=[wake.ref('modules.lob.output.archive')])"),
        expect![[r#"
            error: cannot resolve `modules.lob.output.archive`: `modules` has no `lob`
             --> m.libsonnet:4:82
              |
            4 |     modules={ lib: pkg.modules.lib() }, exec=wake.exec('./go.sh', args=[wake.ref('modules.lob.output.archive')])
              |                                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `lib`?
              help: `modules` has `lib`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_output() {
    check(
        two_modules("exec=wake.exec('./go.sh', args=[wake.ref('modules.lib.output.archiv')])"),
        expect![[r#"
            error: cannot resolve `modules.lib.output.archiv`: `modules.lib.outputs` has no `archiv`
             --> m.libsonnet:4:82
              |
            4 |     modules={ lib: pkg.modules.lib() }, exec=wake.exec('./go.sh', args=[wake.ref('modules.lib.output.archiv')])
              |                                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `archive`?
              help: `modules.lib.outputs` has `archive`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_ref_to_an_unknown_output_in_files() {
    check(
        two_modules(
            "files=function(wake, module) [wake.file('./x', from='modules.lib.output.achive')]",
        ),
        expect![[r#"
            error: cannot resolve `modules.lib.output.achive`: `modules.lib.outputs` has no `achive`
             --> m.libsonnet:4:93
              |
            4 |     modules={ lib: pkg.modules.lib() }, files=function(wake, module) [wake.file('./x', from='modules.lib.output.achive')]
              |                                                                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `archive`?
              help: `modules.lib.outputs` has `archive`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn computing_with_a_promise_is_an_error() {
    check(
        two_modules(
            "exec=wake.exec('./go.sh', args=['-L' + wake.ref('modules.lib.output.archive').path])",
        ),
        expect![[r#"
            error: `modules.lib.output.archive` is not known yet: it is a promise, and cannot be used in a computation
             --> m.libsonnet:4:89
              |
            4 |     modules={ lib: pkg.modules.lib() }, exec=wake.exec('./go.sh', args=['-L' + wake.ref('modules.lib.output.archive').path])
              |                                                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = note: module() is called at m.libsonnet:2:3
              help: move the expression into `inputs`, `files` or `exec=function(wake, module) ...`, which run once it is known
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}
