//! Globals and permissions of packages from elsewhere: they hold what was granted along the way.

use std::path::PathBuf;

use wake_tests::{Project, expect};

use crate::scene::{GIVE, asked, get, scene, shown, tool};

/// A retriever whose package `a` gets `inner` from a registry, with `more` in `getPkg`.
fn gives_one_that_gets(more: &str) -> String {
    format!(
        "more = \"    pkgs={{ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'){more}) }},\\n\"\n\
         answer(*[package(request, more=more) for request in asked['requests']])"
    )
}

/// A registry with `acme/inner`, and `acme/outer`, which gets it with `more`; returns its directory.
fn registry(project: &Project, more: &str) -> PathBuf {
    let publisher = wake_tests::project()
        .file(
            "wake.toml",
            "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\nacme = \"main\"\n",
        )
        .build();
    publisher.write(
        "inner/PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('inner', '1.0.0', namespace='acme'), metadata={ license: 'MIT' })\n",
    );
    publisher.write(
        "outer/PKG.libsonnet",
        format!("function(wake)\n  wake.pkg(\n    wake.pkgInfo('outer', '1.0.0', namespace='acme'),\n    pkgs={{ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'){more}) }},\n    metadata={{ license: 'MIT' }},\n  )\n"),
    );
    for name in ["inner", "outer"] {
        publisher.wake(["publish", name, "--no-verify"]).run().success();
    }
    let to = project.base().join("registry");
    wake_tests::copy_tree(&publisher.base().join("registry"), &to);
    project.write(
        "wake.toml",
        "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\nacme = \"main\"\n",
    );
    to
}

#[test]
fn a_retrieved_package_defines_globals_only_with_permission() {
    let project = scene(&[get("a", "*")], &gives_one_that_gets(", global=true"));
    registry(&project, "");
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: x/a@1.2.3 defines the global package `inner` without permission
         --> x/a@1.2.3/PKG.libsonnet:5:19
          |
        5 |     pkgs={ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'), global=true) },
          |                   ^^^^^^^^^^^
          help: grant it where that package is required: `permissions=['defineGlobal']`
               Error 1 error in [TIME]
    "#]]);
    project.edit(
        "app/PKG.libsonnet",
        "wake.exec('pkg.tool./retrieve'))",
        "wake.exec('pkg.tool./retrieve'), permissions=['defineGlobal'])",
    );
    project.build(&["//app"]);
    assert_eq!(shown(&project), "a 1.2.3\n");
}

#[test]
fn a_retrieved_package_grants_only_permissions_it_holds() {
    let project = scene(&[get("a", "*")], &gives_one_that_gets(", permissions=['network']"));
    registry(&project, "");
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: x/a@1.2.3 grants `network`, which it was not granted itself
         --> x/a@1.2.3/PKG.libsonnet:5:19
          |
        5 |     pkgs={ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'), permissions=['network']) },
          |                   ^^^^^^^^^^^
          help: grant it where x/a@1.2.3 is required
               Error 1 error in [TIME]
    "#]]);
    project.edit(
        "app/PKG.libsonnet",
        "wake.exec('pkg.tool./retrieve'))",
        "wake.exec('pkg.tool./retrieve'), permissions=['network'])",
    );
    project.build(&["//app"]);
}

#[test]
fn a_fetched_package_holds_permissions_granted_along_the_chain() {
    let outer = |more: &str| {
        format!("outer: wake.getPkg(wake.pkgInfo('outer', '^1', namespace='acme'){more})")
    };
    let mut said = String::new();
    for (of_outer, enough) in [
        (", global=true", ", permissions=['defineGlobal']"),
        (", permissions=['network']", ", permissions=['network']"),
    ] {
        let project = scene(&[outer("")], GIVE);
        registry(&project, of_outer);
        let run = project.wake(["build", "//app", "--quiet"]).run();
        said += &run.code(6).redacted_stderr();
        project.edit(
            "app/PKG.libsonnet",
            "namespace='acme')",
            &format!("namespace='acme'){enough}"),
        );
        project.build(&["//app"]);
    }
    expect![[r#"
        error: acme/outer@1.0.0 defines the global package `inner` without permission
         --> acme/outer@1.0.0/PKG.libsonnet:4:19
          |
        4 |     pkgs={ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'), global=true) },
          |                   ^^^^^^^^^^^
          help: grant it where that package is required: `permissions=['defineGlobal']`
               Error 1 error in [TIME]
        error: acme/outer@1.0.0 grants `network`, which it was not granted itself
         --> acme/outer@1.0.0/PKG.libsonnet:4:19
          |
        4 |     pkgs={ inner: wake.getPkg(wake.pkgInfo('inner', '^1', namespace='acme'), permissions=['network']) },
          |                   ^^^^^^^^^^^
          help: grant it where acme/outer@1.0.0 is required
               Error 1 error in [TIME]
    "#]].assert_eq(&said);
}

#[test]
fn a_retrieved_package_uses_the_network_only_with_permission() {
    let body = "more = \"    modules={ made: function(wake, pkg) wake.module(\\n      'made',\\n      outputs=function(wake, pkg) { text: './data' },\\n      exec=wake.exec(wake.program('true'), network=true)) },\\n\"\n\
        answer(*[package(request, more=more) for request in asked['requests']])";
    let project = scene(&[get("a", "*")], body);
    project.edit(
        "app/app.libsonnet",
        "'app',",
        "'app', modules={ made: pkg.pkgs.a.modules.made({}) },",
    );
    let run = project.wake(["build", "//app", "--quiet"]).run();
    run.code(5).says(expect![[r#"
        error: x/a@1.2.3:made: its command asks for the network without permission
         --> x/a@1.2.3/PKG.libsonnet:8:22
          |
        8 |       exec=wake.exec(wake.program('true'), network=true)) },
          |                      ^^^^^^^^^^^^
          help: grant it where its package is required: `permissions=['network']`
              Failed x/a@1.2.3:made (no result)
               Error 1 of 2 actions failed in [TIME]: x/a@1.2.3:made; 1 skipped
    "#]]);
    project.edit(
        "app/PKG.libsonnet",
        "wake.exec('pkg.tool./retrieve'))",
        "wake.exec('pkg.tool./retrieve'), permissions=['network'])",
    );
    project.build(&["//app"]);
}

#[test]
fn a_retriever_may_be_global() {
    let project = scene(&[get("a", "*")], GIVE);
    project.edit("app/PKG.libsonnet", "from='../tool'", "from=wake.GLOBAL");
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true) })\n",
    );
    let build = project.build(&["//app"]);
    assert_eq!(asked(&build), [("//tool".to_owned(), 1)]);
    assert_eq!(shown(&project), "a 1.2.3\n");
}

#[test]
fn a_global_retriever_in_use_cannot_be_overridden() {
    // A retrieved package may define globals, and replace its own retriever.
    let body = "more = \"    pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./better', global={ override: 9 }) },\\n\"\n\
        answer(*[package(request, more=more) for request in asked['requests']])";
    let project = scene(&[get("a", "*")], body);
    project.edit("app/PKG.libsonnet", "from='../tool'", "from=wake.GLOBAL");
    project.edit(
        "app/PKG.libsonnet",
        "wake.exec('pkg.tool./retrieve'))",
        "wake.exec('pkg.tool./retrieve'), permissions=['defineGlobal'])",
    );
    project.write(
        "PKG.libsonnet",
        "function(wake) wake.pkg(wake.pkgInfo('root', '1.0.0'), pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '*'), from='./tool', global=true), app: wake.getPkg(wake.pkgInfo('app', '*'), from='./app', permissions=['defineGlobal']) })\n",
    );
    let publisher = wake_tests::project()
        .file(
            "wake.toml",
            "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\n\"\" = \"main\"\n",
        )
        .build();
    tool(&publisher, "tool", "metadata={ license: 'MIT' },", GIVE);
    publisher.edit("tool/PKG.libsonnet", "'1.0.0'", "'2.0.0'");
    publisher.wake(["publish", "tool"]).run().success();
    wake_tests::copy_tree(&publisher.base().join("registry"), &project.base().join("registry"));
    project.write(
        "wake.toml",
        "[registries]\nmain = \"file:../registry\"\n\n[namespaces]\n\"\" = \"main\"\n",
    );
    project.edit("tool/retrieve", "'*'", "'^2'");
    let run = project.wake(["lock", "--quiet"]).run();
    run.code(6).says(expect![[r#"
        error: //tool has retrieved packages as the global package `tool`, but tool@2.0.0 now overrides it
         --> app/PKG.libsonnet:6:13
          |
        6 |       tool: wake.getPkg(wake.pkgInfo('tool', '*'), from=wake.GLOBAL),
          |             ^^^^^^^^^^^
          help: lower the override of tool@2.0.0, or get one of them from a local path
    "#]]);
    assert!(!project.path("wake.lock").exists());
}
