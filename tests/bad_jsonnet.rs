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
        expect![[""]],
    );
}

#[test]
fn syntax_error_in_a_module_file() {
    check(
        project()
            .pkg("modules={ m: './m.libsonnet' }")
            .file("m.libsonnet", "function(wake pkg) 1\n"),
        expect![[""]],
    );
}

#[test]
fn unknown_variable() {
    check_rest("files=[nothing]", expect![[""]]);
}

#[test]
fn wrong_type() {
    check_rest("files='./a.txt'", expect![[""]]);
}

#[test]
fn wrong_type_of_a_name() {
    check_pkg("function(wake) wake.pkg(wake.pkgInfo('a', 1))\n", expect![[""]]);
}

#[test]
fn wrong_type_right_of_text_that_is_not_ascii() {
    check_pkg(
        "function(wake)\n  wake.pkg(wake.pkgInfo('a', '1.0.0'), metadata={ author: 'Zoë Müller-Weiß' }, files=7)\n",
        expect![[""]],
    );
}

#[test]
fn unknown_argument() {
    check_rest("fils=['./a.txt']", expect![[""]]);
}

#[test]
fn unknown_function() {
    check_pkg("function(wake) wake.pkgg(wake.pkgInfo('a', '1.0.0'))\n", expect![[""]]);
}

#[test]
fn unknown_argument_of_a_module() {
    check(
        project().pkg("modules={ m: './m.libsonnet' }").module("m.libsonnet", "m", "outptus=1"),
        expect![[""]],
    );
}

#[test]
fn a_missing_argument() {
    check_pkg("function(wake) wake.pkg(wake.pkgInfo('a'))\n", expect![[""]]);
}

#[test]
fn not_a_function() {
    check_pkg("{ name: 'a' }\n", expect![[""]]);
}

#[test]
fn not_a_package() {
    check_pkg("function(wake) { name: 'a' }\n", expect![[""]]);
}

#[test]
fn a_name_that_is_not_allowed() {
    check_pkg("function(wake) wake.pkg(wake.pkgInfo('My Package', '1.0.0'))\n", expect![[""]]);
}

#[test]
fn a_name_that_is_too_long() {
    let name = "a".repeat(65);
    check_pkg(
        &format!("function(wake) wake.pkg(wake.pkgInfo('{name}', '1.0.0'))\n"),
        expect![[""]],
    );
}

#[test]
fn a_version_that_is_none() {
    check_pkg("function(wake) wake.pkg(wake.pkgInfo('a', '1.2'))\n", expect![[""]]);
}

#[test]
fn a_requirement_that_is_none() {
    check_rest("pkgs={ b: wake.getPkg(wake.pkgInfo('b', 'newest'), from='./b') }", expect![[""]]);
}

#[test]
fn an_unknown_permission() {
    check_rest(
        "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', permissions=['defineGlobals']) }",
        expect![[""]],
    );
}

#[test]
fn an_override_out_of_range() {
    check_rest(
        "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '1'), from='./b', global={ override: 101 }) }",
        expect![[""]],
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
    check(walk("'inptus.level'"), expect![[""]]);
}

#[test]
fn a_ref_without_a_key() {
    check(walk("'pkg'"), expect![[""]]);
}

#[test]
fn a_ref_to_an_unknown_package() {
    check(walk("'pkg.zlb.input.flags'"), expect![[""]]);
}

#[test]
fn a_ref_to_an_unknown_input() {
    check(walk("'pkg.zlib.input.flgs'"), expect![[""]]);
}

#[test]
fn a_ref_to_an_unknown_key_of_a_value() {
    check(walk("'pkg.zlib.input.flags.release'"), expect![[""]]);
}

#[test]
fn a_ref_beyond_the_end_of_a_list() {
    check(walk("'pkg.zlib.input.flags.debug.1'"), expect![[""]]);
}

#[test]
fn a_ref_into_a_value_that_has_no_keys() {
    check(walk("['pkg', 'zlib', 'input', 'flags', 'debug', '0', 'x']"), expect![[""]]);
}

#[test]
fn a_ref_to_an_unknown_file() {
    check(walk("'./b.txt'"), expect![[""]]);
}

#[test]
fn a_ref_to_an_unknown_file_of_another_package() {
    check(walk("'pkg.zlib./zlb.h'"), expect![[""]]);
}

#[test]
fn a_ref_to_a_module_in_a_package_file() {
    check(walk("'module.m.output.text'"), expect![[""]]);
}

#[test]
fn a_ref_to_an_output_in_a_package_file() {
    check(walk("'output.text'"), expect![[""]]);
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
        expect![[""]],
    );
}

#[test]
fn a_ref_to_an_unknown_output() {
    check(
        two_modules("exec=wake.exec('./go.sh', args=[wake.ref('modules.lib.output.archiv')])"),
        expect![[""]],
    );
}

#[test]
fn a_ref_to_an_unknown_output_in_files() {
    check(
        two_modules(
            "files=function(wake, module) [wake.file('./x', from='modules.lib.output.achive')]",
        ),
        expect![[""]],
    );
}

#[test]
fn computing_with_a_promise() {
    check(
        two_modules(
            "exec=wake.exec('./go.sh', args=['-L' + wake.ref('modules.lib.output.archive').path])",
        ),
        expect![[""]],
    );
}

#[test]
fn a_module_that_a_package_has_not() {
    check(
        project().pkg("modules={ m: './m.libsonnet', lib: './m.libsonnet' }").module(
            "m.libsonnet",
            "m",
            "modules={ lib: pkg.modules.libb() }",
        ),
        expect![[""]],
    );
}

#[test]
fn an_import_that_leaves_the_package() {
    check(
        project()
            .file("wake.toml", "[workspace]\n")
            .file("shared.libsonnet", "{}")
            .pkg("inputs=(import '../shared.libsonnet').inputs"),
        expect![[""]],
    );
}

#[test]
fn an_import_that_is_not_there() {
    check_rest("metadata=import 'about.libsonnet'", expect![[""]]);
}

#[test]
fn an_error_of_ones_own() {
    check_rest("files=if true then error 'choose a platform' else []", expect![[""]]);
}

#[test]
fn recursion_without_an_end() {
    check_rest("metadata=(local f(n) = { a: n, b: f(n + 1).b }; f(0).b)", expect![[""]]);
}

#[test]
fn a_list_without_an_end() {
    check_rest("metadata=std.range(1, 1000000000)", expect![[""]]);
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
