//! Packages that do not fit together, each with the complete message.

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
fn an_unmet_version_requirement() {
    check(
        root(&get("b", "b", "^2", "from='./b'")).pkg_at("b", "b", ""),
        6,
        expect![[r#"
        error: package `b` requires `b` ^2, but `./b` is `b` 1.0.0
         --> PKG.libsonnet:5:10
          |
        5 |       b: wake.getPkg(wake.pkgInfo('b', '^2'), from='./b'),
          |          ^^^^^^^^^^^
          help: require the current version, `version: '^1.0.0'`, or point `from` elsewhere
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_package_with_another_name_than_requested() {
    check(
        root(&get("b", "b", "^1", "from='./b'")).pkg_at("b", "bb", ""),
        6,
        expect![[r#"
        error: package `b` requires `b` ^1, but `./b` is `bb` 1.0.0
         --> PKG.libsonnet:5:10
          |
        5 |       b: wake.getPkg(wake.pkgInfo('b', '^1'), from='./b'),
          |          ^^^^^^^^^^^
          help: require the current version, `version: '^1.0.0'`, or point `from` elsewhere
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_missing_package() {
    check(
        root(&get("b", "b", "^1", "from='./bb'")).pkg_at("b", "b", ""),
        6,
        expect![[r#"
        error: package `b`: there is no directory `./bb`
         --> PKG.libsonnet:5:10
          |
        5 |       b: wake.getPkg(wake.pkgInfo('b', '^1'), from='./bb'),
          |          ^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn a_package_outside_the_workspace() {
    check(
        root(&get("b", "b", "^1", "from='../b'")),
        6,
        expect![[r#"
        error: package `b`: `../b` leaves the workspace
         --> PKG.libsonnet:5:10
          |
        5 |       b: wake.getPkg(wake.pkgInfo('b', '^1'), from='../b'),
          |          ^^^^^^^^^^^
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
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
        expect![[r#"
            error: two packages are named `b` 1.0.0: //one and //two
             --> two/PKG.libsonnet:3:5
              |
            3 |     wake.pkgInfo('b', '1.0.0'),
              |     ^^^^^^^^^^^^
              = note: //one is named at one/PKG.libsonnet:3:5
              help: give one of them another name, namespace or version
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn two_unrequested_packages_with_one_key() {
    let project = project().file("wake.toml", "").pkg_at("one", "b", "").pkg_at("two", "b", "");
    project.build().wake(["build", "//..."]).run().code(6).says(expect![[r#"
        error: two packages are named `b` 1.0.0: //one and //two
         --> two/PKG.libsonnet:3:5
          |
        3 |     wake.pkgInfo('b', '1.0.0'),
          |     ^^^^^^^^^^^^
          = note: //one is named at one/PKG.libsonnet:3:5
          help: give one of them another name, namespace or version
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn one_package_under_two_keys_is_accepted() {
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
fn packages_that_depend_on_each_other() {
    check(
        root(&get("a", "a", "^1", "from='./a'"))
            .pkg_at("a", "a", "pkgs={ b: wake.getPkg(wake.pkgInfo('b', '^1'), from='../b') }")
            .pkg_at("b", "b", "pkgs={ a: wake.getPkg(wake.pkgInfo('a', '^1'), from='../a') }"),
        6,
        expect![[r#"
            error: dependency cycle among packages: //a -> //b -> //a
             --> a/PKG.libsonnet:4:15
              |
            4 |     pkgs={ b: wake.getPkg(wake.pkgInfo('b', '^1'), from='../b') }
              |               ^^^^^^^^^^^
              = note: //a needs //b as `b` at a/PKG.libsonnet:4:15
              = note: //b needs //a as `a` at b/PKG.libsonnet:4:15
              help: move what both need into a separate package
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_package_that_depends_on_itself() {
    check(
        root(&get("me", "root", "^1", "from='.'")),
        6,
        expect![[r#"
        error: dependency cycle among packages: // -> //
         --> PKG.libsonnet:5:11
          |
        5 |       me: wake.getPkg(wake.pkgInfo('root', '^1'), from='.'),
          |           ^^^^^^^^^^^
          = note: // needs // as `me` at PKG.libsonnet:5:11
          help: move what both need into a separate package
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

#[test]
fn modules_that_depend_on_each_other() {
    check(
        project()
            .pkg("modules={ a: './a.libsonnet', b: './b.libsonnet', c: './c.libsonnet' }")
            .module("a.libsonnet", "a", "modules={ next: pkg.modules.b() }")
            .module("b.libsonnet", "b", "modules={ next: pkg.modules.c() }")
            .module("c.libsonnet", "c", "modules={ next: pkg.modules.a() }"),
        5,
        expect![[r#"
            error: dependency cycle among modules: //:a -> //:b -> //:c -> //:a
             --> a.libsonnet:4:21
              |
            4 |     modules={ next: pkg.modules.b() }
              |                     ^^^^^^^^^^^^^
              = note: //:a needs //:b as `next` at a.libsonnet:4:21
              = note: //:b needs //:c as `next` at b.libsonnet:4:21
              = note: //:c needs //:a as `next` at c.libsonnet:4:21
              help: remove one of these from `modules`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_module_that_depends_on_itself() {
    check(
        project().pkg("modules={ a: './a.libsonnet' }").module(
            "a.libsonnet",
            "a",
            "modules={ me: pkg.modules.a() }",
        ),
        5,
        expect![[r#"
            error: dependency cycle among modules: //:a -> //:a
             --> a.libsonnet:4:19
              |
            4 |     modules={ me: pkg.modules.a() }
              |                   ^^^^^^^^^^^^^
              = note: //:a needs //:a as `me` at a.libsonnet:4:19
              help: remove one of these from `modules`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn an_endless_chain_of_configs() {
    check(
        project().pkg("modules={ a: './a.libsonnet' }").file(
            "a.libsonnet",
            "function(wake, pkg, config={ n: 0 })\n  \
             wake.module('a', modules={ next: pkg.modules.a({ n: config.n + 1 }) })\n",
        ),
        5,
        expect![[r#"
            error: infinite recursion: module //:a leads to ever more modules
             --> a.libsonnet:2:36
              |
            2 |   wake.module('a', modules={ next: pkg.modules.a({ n: config.n + 1 }) })
              |                                    ^^^^^^^^^^^^^
              help: make sure that a module does not need itself with a different config each time
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn two_globals_with_the_same_rank() {
    check(
        root(&format!(
            "{}\n      {}",
            get("one", "tool", "^1", "from='./one', global={ override: 5 }"),
            get("two", "tool", "^2", "from='./two', global={ override: 5 }")
        ))
        .pkg_at("one", "tool", "")
        .file("two/PKG.libsonnet", "function(wake) wake.pkg(wake.pkgInfo('tool', '2.0.0'))\n"),
        6,
        expect![[r#"
            error: the global package `tool` is defined twice with override 5
             --> PKG.libsonnet:6:12
              |
            6 |       two: wake.getPkg(wake.pkgInfo('tool', '^2'), from='./two', global={ override: 5 }),
              |            ^^^^^^^^^^^
              = note: also defined at PKG.libsonnet:5:12
              help: raise one of them: `global={override: N}` with N from 1 to 100
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn an_undefined_global() {
    check(
        root(&get("tool", "tol", "^1", "from=wake.GLOBAL")),
        6,
        expect![[r#"
        error: there is no global package `tol`
         --> PKG.libsonnet:5:13
          |
        5 |       tool: wake.getPkg(wake.pkgInfo('tol', '^1'), from=wake.GLOBAL),
          |             ^^^^^^^^^^^
          help: define one in the root package with `getPkg(..., global=true)`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]],
    );
}

/// `wake tree` shows as much of an invalid tree as it can.
#[test]
fn an_invalid_tree_of_packages_is_shown() {
    let project = root(&format!(
        "{}\n      {}\n      {}",
        get("tool", "tool", "^2", "from='./tool'"),
        get("tol", "tol", "^1", "from=wake.GLOBAL"),
        get("late", "tool", "*", "from=wake.GLOBAL"),
    ));
    let project = project.pkg_at("tool", "tool", "").build();
    project.wake(["tree"]).run().success().prints(expect![[r#"
        // 1.0.0
          (no package)  late: *  (global)
          (no package)  tol: ^1  (global)
          //tool 1.0.0  tool: ^2
        //tool 1.0.0
    "#]]);
}

#[test]
fn a_global_of_another_version_than_requested() {
    check(
        root(&format!(
            "{}\n      {}",
            get("define", "tool", "^1", "from='./tool', global=true"),
            get("take", "tool", "^2", "from=wake.GLOBAL")
        ))
        .pkg_at("tool", "tool", ""),
        6,
        expect![[r#"
            error: package `take` requires `tool` ^2, but `wake.GLOBAL` is `tool` 1.0.0
             --> PKG.libsonnet:6:13
              |
            6 |       take: wake.getPkg(wake.pkgInfo('tool', '^2'), from=wake.GLOBAL),
              |             ^^^^^^^^^^^
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_global_defined_without_permission() {
    check(
        root(&get("platform", "platform", "^1", "from='./platform'"))
            .pkg_at(
                "platform",
                "platform",
                "pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool', global=true) }",
            )
            .pkg_at("tool", "tool", ""),
        6,
        expect![[r#"
            error: //platform defines the global package `tool` without permission
             --> platform/PKG.libsonnet:4:18
              |
            4 |     pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool', global=true) }
              |                  ^^^^^^^^^^^
              help: grant it where that package is required: `permissions=['defineGlobal']`
            [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

#[test]
fn a_package_that_grants_a_permission_it_lacks() {
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
        expect![[r#"
            error: //middle grants `defineGlobal`, which it was not granted itself
             --> middle/PKG.libsonnet:4:22
              |
            4 |     pkgs={ platform: wake.getPkg(
              |                      ^^^^^^^^^^^
              help: grant it where //middle is required
            error: //platform defines the global package `tool` without permission
             --> platform/PKG.libsonnet:4:18
              |
            4 |     pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool', global=true) }
              |                  ^^^^^^^^^^^
              help: grant it where that package is required: `permissions=['defineGlobal']`
            [TIME] FAILED 2 errors in [TIME], log .wake/runs/[RUN].jsonl
        "#]],
    );
}

/// A root package that gets `dep`, whose module requires the network, through a package in between.
fn reaching_the_network(root: &str, between: &str) -> ProjectBuilder {
    let get = |name: &str, dir: &str, rest: &str| {
        let permissions = if rest.is_empty() { String::new() } else { format!(", {rest}") };
        format!(
            "pkgs={{ d: wake.getPkg(wake.pkgInfo('{name}', '*'), from='{dir}'{permissions}) }}, modules={{ m: './m.libsonnet' }}"
        )
    };
    let through = "modules={ d: pkg.pkgs.d.modules.m({}) }, files=function(wake, module) ['modules.d.output.o']";
    project()
        .pkg(&get("between", "./between", root))
        .module("m.libsonnet", "m", through)
        .pkg_at("between", "between", &get("dep", "../dep", between))
        .module("between/m.libsonnet", "m", "modules={ d: pkg.pkgs.d.modules.m({}) },\n    files=function(wake, module) ['modules.d.output.o'], outputs=function(wake, pkg) { o: [] }")
        .pkg_at("dep", "dep", "files=['./t'], modules={ m: './m.libsonnet' }")
        .module(
            "dep/m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { o: './o' },\n    exec=wake.exec('./t', network=true)",
        )
        .script("dep/t", "#!/bin/sh\ntouch o\n")
}

#[test]
fn a_command_that_needs_the_network_without_permission() {
    let grant = "permissions=['network']";
    let refused = "error: //dep:m: its command asks for the network without permission\n";
    for (root, between, code, said) in [
        ("", "", 5, refused),
        (grant, "", 5, refused),
        ("", grant, 6, "error: //between grants `network`, which it was not granted itself\n"),
        (grant, grant, 0, ""),
    ] {
        let project = reaching_the_network(root, between).build();
        let run = project.wake(["build"]).run().code(code);
        assert!(run.stderr.contains(said), "{root} {between}: {run}");
        let is_helped = run
            .stderr
            .contains("grant it where its package is required: `permissions=['network']`");
        assert_eq!(is_helped, code == 5, "{run}");
        // No package gets it: the user who names it as a target grants it the network.
        project.wake(["build", "//dep:m"]).run().success();
    }
}
