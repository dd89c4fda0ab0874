//! Packages that do not fit together, each with the whole text that the user gets.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, ProjectBuilder, expect, project};

#[track_caller]
fn check(builder: ProjectBuilder, code: i32, expected: Expect) {
    builder.build().wake(["build"]).run().code(code).says(expected);
}

/// A workspace whose root has the given packages and one module.
fn root(pkgs: &str) -> ProjectBuilder {
    project()
        .file("wake.toml", "[workspace]\n")
        .pkg(&format!("pkgs={{\n      {pkgs}\n    }},\n    modules={{ m: './m.libsonnet' }}"))
        .module("m.libsonnet", "m", "outputs=function(wake, pkg) {}")
}

fn get(key: &str, name: &str, version: &str, rest: &str) -> String {
    format!("{key}: wake.getPkg(wake.pkgInfo('{name}', '{version}'), {rest}),")
}

#[test]
fn a_version_requirement_that_is_not_met() {
    check(root(&get("b", "b", "^2", "from='./b'")).pkg_at("b", "b", ""), 6, expect![[""]]);
}

#[test]
fn another_name_than_asked_for() {
    check(root(&get("b", "b", "^1", "from='./b'")).pkg_at("b", "bb", ""), 6, expect![[""]]);
}

#[test]
fn a_package_that_is_not_there() {
    check(root(&get("b", "b", "^1", "from='./bb'")).pkg_at("b", "b", ""), 5, expect![[""]]);
}

#[test]
fn a_package_outside_of_the_workspace() {
    check(root(&get("b", "b", "^1", "from='../b'")), 5, expect![[""]]);
}

#[test]
fn two_packages_with_one_key() {
    check(
        root(&format!(
            "{}\n      {}",
            get("one", "b", "^1", "from='./one'"),
            get("two", "b", "^1", "from='./two'")
        ))
        .pkg_at("one", "b", "inputs=function(wake, pkg) { x: 1 }, files=['./a']")
        .file("one/a", "1")
        .pkg_at("two", "b", "files=['./a']")
        .file("two/a", "2"),
        6,
        expect![[""]],
    );
}

#[test]
fn one_package_under_two_keys_is_fine() {
    let project = root(&format!(
        "{}\n      {}",
        get("one", "b", "^1", "from='./b'"),
        get("two", "b", "1", "from='./b'")
    ))
    .pkg_at("b", "b", "")
    .build();
    project.build(&[]);
}

#[test]
fn a_cycle_of_packages() {
    check(
        root(&get("a", "a", "^1", "from='./a'"))
            .pkg_at("a", "a", "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '^1'), from='../b') }")
            .pkg_at("b", "b", "pkgs={ a: wake.getPkg(wake.pkgInfo('a', '^1'), from='../a') }"),
        6,
        expect![[""]],
    );
}

#[test]
fn a_package_that_gets_itself() {
    check(root(&get("me", "root", "^1", "from='.'")), 6, expect![[""]]);
}

#[test]
fn a_cycle_of_modules() {
    check(
        project()
            .pkg("modules={ a: './a.libsonnet', b: './b.libsonnet', c: './c.libsonnet' }")
            .module("a.libsonnet", "a", "modules={ next: pkg.modules.b() }")
            .module("b.libsonnet", "b", "modules={ next: pkg.modules.c() }")
            .module("c.libsonnet", "c", "modules={ next: pkg.modules.a() }"),
        5,
        expect![[""]],
    );
}

#[test]
fn a_module_that_needs_itself() {
    check(
        project().pkg("modules={ a: './a.libsonnet' }").module(
            "a.libsonnet",
            "a",
            "modules={ me: pkg.modules.a() }",
        ),
        5,
        expect![[""]],
    );
}

#[test]
fn a_chain_of_configs_without_an_end() {
    check(
        project().pkg("modules={ a: './a.libsonnet' }").file(
            "a.libsonnet",
            "function(wake, pkg, config={ n: 0 })\n  \
             wake.module('a', modules={ next: pkg.modules.a({ n: config.n + 1 }) })\n",
        ),
        5,
        expect![[""]],
    );
}

#[test]
fn two_globals_of_one_rank() {
    check(
        root(&format!(
            "{}\n      {}",
            get("one", "tool", "^1", "from='./one', global={ override: 5 }"),
            get("two", "tool", "^2", "from='./two', global={ override: 5 }")
        ))
        .pkg_at("one", "tool", "")
        .file("two/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('tool', '2.0.0'))\n"),
        6,
        expect![[""]],
    );
}

#[test]
fn a_global_that_nobody_defines() {
    check(root(&get("tool", "tol", "^1", "from=wake.GLOBAL")), 6, expect![[""]]);
}

#[test]
fn a_global_of_another_version_than_asked_for() {
    check(
        root(&format!(
            "{}\n      {}",
            get("define", "tool", "^1", "from='./tool', global=true"),
            get("take", "tool", "^2", "from=wake.GLOBAL")
        ))
        .pkg_at("tool", "tool", ""),
        6,
        expect![[""]],
    );
}

#[test]
fn a_package_without_the_permission_defines_a_global() {
    check(
        root(&get("platform", "platform", "^1", "from='./platform'"))
            .pkg_at(
                "platform",
                "platform",
                "pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool', global=true) }",
            )
            .pkg_at("tool", "tool", ""),
        6,
        expect![[""]],
    );
}

#[test]
fn a_package_passes_on_a_permission_that_it_has_not() {
    check(
        root(&get("middle", "middle", "^1", "from='./middle'"))
            .pkg_at(
                "middle",
                "middle",
                "pkgs={ platform: wake.getPkg(\n      wake.pkgInfo('platform', '^1'),\n      \
                 from='../platform',\n      permissions=['defineGlobal'],\n    ) }",
            )
            .pkg_at(
                "platform",
                "platform",
                "pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool', global=true) }",
            )
            .pkg_at("tool", "tool", ""),
        6,
        expect![[""]],
    );
}
