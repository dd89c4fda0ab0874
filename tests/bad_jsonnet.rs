//! Mistakes in what a user wrote in Jsonnet, each with the whole text that the user gets.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

/// Builds a project that is wrong, and compares everything that is said.
#[track_caller]
fn check(builder: ProjectBuilder, expected: Expect) {
    builder.build().wake(["build"]).run().code(5).says(expected);
}

/// The same for the text of a `PKG.libsonnet`.
#[track_caller]
fn check_pkg(text: &str, expected: Expect) {
    check(project().file("PKG.libsonnet", text), expected);
}

/// The same for the arguments of `wake.pkg(…)` behind name and version.
#[track_caller]
fn check_rest(rest: &str, expected: Expect) {
    check(project().pkg(rest).file("a.txt", "").file("data/b.txt", ""), expected);
}

#[test]
fn syntax_error() {
    check_pkg(
        "function(wake)\n  wake.pkg(\n    wake.pkgInfo('a', '1.0.0'),\n    files=['./a.txt',\n  )\n",
        expect![[r#"
            error: syntax error: unexpected ')'
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
        error: undefined local: nothing
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
fn wrong_type_right_of_text_that_is_not_ascii() {
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
          help: the arguments are pkgInfo, files, inputs, pkgs, modules, metadata
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
              help: the arguments are name, pkg, modules, files, inputs, outputs, exec, pkgFiles, metadata
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_missing_argument() {
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
fn a_name_that_is_not_allowed() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('My Package', '1.0.0'))\n",
        expect![[r#"
        error: `My Package` holds `M`: names are lower-case letters, digits, `_` and `-`, starting with a letter or digit
         --> PKG.libsonnet:1:38
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('My Package', '1.0.0'))
          |                                      ^^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_name_that_is_too_long() {
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
fn a_version_that_is_none() {
    check_pkg(
        "function(wake) wake.pkg(wake.pkgInfo('a', '1.2'))\n",
        expect![[r#"
        error: `1.2` is not a semantic version: unexpected end of input while parsing minor version number
         --> PKG.libsonnet:1:43
          |
        1 | function(wake) wake.pkg(wake.pkgInfo('a', '1.2'))
          |                                           ^^^^^
          help: a package has an exact version with three numbers, as 1.2.3
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_requirement_that_is_none() {
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
fn an_unknown_permission() {
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
fn an_override_out_of_range() {
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

/// A package with an inputs function that is one ref, and a dependency to walk into.
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
fn a_ref_that_starts_nowhere() {
    check(
        walk("'inptus.level'"),
        expect![[r#"
        error: cannot resolve `inptus.level`: `inptus` starts no reference: expected `./`, `input`, `output`, `pkg` or `module`
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
        error: cannot resolve `pkg.zlib.input.flags.debug.1`: `pkgs.zlib.inputs.flags.debug` is a list of 1 without an element `1`
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
        error: cannot resolve `['pkg', 'zlib', 'input', 'flags', 'debug', '0', 'x']`: `pkgs.zlib.inputs.flags.debug.0` is a string, which holds no `x`
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
        error: cannot resolve `module.m.output.text`: a package cannot refer to modules: they are built from packages
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
        error: cannot resolve `output.text`: the outputs of a module do not exist before it has run
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
fn computing_with_a_promise() {
    check(
        two_modules(
            "exec=wake.exec('./go.sh', args=['-L' + wake.ref('modules.lib.output.archive').path])",
        ),
        expect![[r#"
            error: `modules.lib.output.archive` is not known yet: it is a promise, and nothing can be computed with it
             --> m.libsonnet:4:89
              |
            4 |     modules={ lib: pkg.modules.lib() }, exec=wake.exec('./go.sh', args=['-L' + wake.ref('modules.lib.output.archive').path])
              |                                                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              = note: module() is called at m.libsonnet:2:3
              help: move the expression into `inputs`, `files` or `exec=function(wake, module) ...`, which run when it is known
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_module_that_a_package_has_not() {
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
fn an_import_that_leaves_the_package() {
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
fn an_import_that_is_not_there() {
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
fn an_error_of_ones_own() {
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
fn recursion_without_an_end() {
    check_rest(
        "metadata=(local f(n) = { a: n, b: f(n + 1).b }; f(0).b)",
        expect![[r#"
        error: //: evaluating `//` recurses deeper than its stack of 512 MiB
         help: something is defined in terms of itself without an end
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_list_without_an_end() {
    check_rest(
        "metadata=std.range(1, 1000000000)",
        expect![[r#"
        error: the result holds more than 1000000 values, evaluating `//`
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
fn one_package_that_cannot_be_evaluated_leaves_the_others_alone() {
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
