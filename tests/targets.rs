//! Targets, and the directories they are relative to.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, project};

/// A package with two modules in each of three directories.
fn three() -> Project {
    let mut builder = project().file("wake.toml", "[workspace]\n");
    for dir in ["", "libs/a", "libs/b"] {
        let name = if dir.is_empty() { "root" } else { &dir[5..] };
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        builder = builder
            .pkg_at(
                dir,
                name,
                "files=['./go.sh'], modules={ one: './one.libsonnet', two: './two.libsonnet' }",
            )
            .script(&format!("{prefix}go.sh"), "#!/bin/sh\necho \"$1\" > out.txt\n");
        for module in ["one", "two"] {
            builder = builder.module(
                &format!("{prefix}{module}.libsonnet"),
                module,
                &format!("outputs=function(wake, pkg) {{ text: './out.txt' }}, exec=wake.exec('./go.sh', args=['{name}-{module}'])"),
            );
        }
    }
    builder.build()
}

#[track_caller]
fn check(cwd: &str, targets: &[&str], expected: &[&str]) {
    let project = three();
    let build = project.json_build(targets).cwd(project.path(cwd)).run().success().events();
    assert_eq!(build.ran(), expected);
}

#[test]
fn without_targets_every_module_of_the_nearest_package_is_built() {
    check("", &[], &["//:one", "//:two"]);
    check("libs/a", &[], &["//libs/a:one", "//libs/a:two"]);
    check("libs", &[], &["//:one", "//:two"]);
}

#[test]
fn a_dot_names_the_nearest_package() {
    check("", &["."], &["//:one", "//:two"]);
    check("libs/b", &["."], &["//libs/b:one", "//libs/b:two"]);
}

#[test]
fn a_path_is_relative_to_the_working_directory() {
    check("", &["libs/a"], &["//libs/a:one", "//libs/a:two"]);
    check("libs", &["a"], &["//libs/a:one", "//libs/a:two"]);
    check("libs/b", &["../a:one"], &["//libs/a:one"]);
    check("libs/b", &[":two"], &["//libs/b:two"]);
}

#[test]
fn two_slashes_name_the_workspace_root() {
    check("libs/b", &["//libs/a:one"], &["//libs/a:one"]);
    check("libs/b", &["//:one"], &["//:one"]);
}

#[test]
fn dots_select_everything_below() {
    let all = ["//:one", "//:two", "//libs/a:one", "//libs/a:two", "//libs/b:one", "//libs/b:two"];
    check("libs/a", &["//..."], &all);
    check("", &["//libs/..."], &all[2..]);
    check("libs", &["..."], &all[2..]);
    check("", &["//...:one"], &["//:one", "//libs/a:one", "//libs/b:one"]);
}

#[test]
fn several_and_repeated_targets_are_built_once() {
    check("", &["libs/a:one", "//libs/b:two", "libs/a:one"], &["//libs/a:one", "//libs/b:two"]);
}

#[test]
fn results_are_linked_by_package_and_module() {
    let project = three();
    project.build(&["libs/a:one", ":two"]);
    assert_eq!(project.result_text("//libs/a:one", "out.txt"), "a-one\n");
    assert_eq!(project.result_text("//:two", "out.txt"), "root-two\n");
}

#[test]
fn log_resolves_targets_like_build() {
    let project = three();
    project.write("libs/a/deep/note", "");
    let deep = project.path("libs/a/deep");
    project.wake(["build", ":one"]).cwd(&deep).run().success();
    for target in [":one", ".", "../../a:one", "//libs/...:one"] {
        project.wake(["log", "-o", target]).cwd(&deep).run().success();
    }
    project.wake(["log", "-o", ":two"]).cwd(&deep).run().code(4);
    project.wake(["log", "--records", ":one"]).cwd(&deep).run().success();
}

#[test]
fn only_members_belong_to_the_workspace() {
    let project = three();
    project.write("wake.toml", "[workspace]\nmembers = [\"libs/b\"]\n");
    let build = project.build(&["//..."]);
    assert_eq!(build.ran(), ["//:one", "//:two", "//libs/b:one", "//libs/b:two"]);
}

#[test]
fn unrequested_packages_and_modules_are_not_evaluated() {
    let project = three();
    project.write("libs/b/PKG.libsonnet", "this is not Jsonnet");
    project.write("libs/a/two.libsonnet", "neither is this");
    assert_eq!(project.build(&["libs/a:one"]).ran(), ["//libs/a:one"]);
}

#[test]
fn an_unknown_module_suggests_the_nearest() {
    let project = three();
    project.wake(["build", "libs/a:tow"]).run().code(2).says(expect![[r#"
        error: //libs/a has no module `tow`
         help: did you mean `two`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn an_unknown_path_suggests_the_nearest() {
    let project = three();
    project.wake(["build", "lib/a"]).run().code(2).says(expect![[r#"
        error: target `lib/a`: there is no directory `lib/a`
         help: did you mean `//libs/a`?
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_target_outside_the_workspace_is_an_error() {
    let project = three();
    project.wake(["build", "../elsewhere"]).run().code(2).says(expect![[r#"
        error: target `../elsewhere` leaves the workspace
         help: write a target as `path`, `path:module`, `//path:module` or `//path/...`
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_pattern_without_a_match_is_reported() {
    let project = three();
    std::fs::create_dir(project.path("empty")).unwrap();
    project.wake(["build", "//empty/..."]).run().code(4).says(expect![[r#"
        error: `//empty/...` matches no package
        [TIME] FAILED 1 error in [TIME], log .wake/runs/[RUN].jsonl
    "#]]);
}

#[test]
fn a_mistyped_command_suggests_the_nearest() {
    let project = three();
    let run = project.wake(["biuld"]).run().code(2);
    run.mentions("build");
}

#[test]
fn every_command_reports_modules_left_out_for_lack_of_config() {
    let project = project()
        .step("m", "touch out.txt")
        .file("unit.libsonnet", "function(wake, pkg, config)\n  wake.module(config.name)\n")
        .build();
    project.edit("PKG.libsonnet", "modules={", "modules={ unit: './unit.libsonnet',");
    for command in ["build", "plan", "graph", "why"] {
        let run = project.wake([command, "."]).run().success();
        run.mentions("warning: //:unit is left out, because it needs a config\n");
    }
}

#[test]
fn modules_that_belong_to_another_are_listed_on_request() {
    let project = project()
        .pkg("modules={ a: function(wake, pkg) wake.module('a'), 'a.b': function(wake, pkg) wake.module('a.b') }")
        .build();
    project.wake(["ls"]).run().success().prints(expect![[r#"
        //  root@1.0.0
          //:a
    "#]]);
    project.wake(["ls", "--all"]).run().success().prints(expect![[r#"
        //  root@1.0.0
          //:a
          //:a.b
    "#]]);
}
