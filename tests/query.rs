//! `wake query`: modules selected by their relations.

#![allow(clippy::unwrap_used)]

use wake_tests::{Expect, Project, expect, project};

/// `top` needs `left` and `right`, which need `base`; `check` tests `left`; `aside` is independent.
fn diamond() -> Project {
    let step = |name: &str, needs: &str, more: &str| {
        let needed: Vec<String> = needs
            .split_whitespace()
            .map(|need| format!("{need}: pkg.modules.{need}({{}})"))
            .collect();
        format!(
            "{name}: function(wake, pkg) wake.module('{name}', pkgFiles=['./{name}.txt'], modules={{ {} }}{more}), ",
            needed.join(", ")
        )
    };
    let modules = [
        step("top", "left right", ""),
        step("left", "base", ""),
        step("right", "base", ", tags=['slow']"),
        step("base", "", ", exec=wake.exec('./base.txt')"),
        step("check", "left", ", test=true, exec=wake.exec('./check.txt')"),
        step("aside", "", ""),
    ]
    .concat();
    let names = ["top", "left", "right", "base", "check", "aside"];
    let files: Vec<String> = names.iter().map(|name| format!("'./{name}.txt'")).collect();
    let mut builder =
        project().pkg(&format!("files=[{}], modules={{ {modules} }}", files.join(", ")));
    for name in names {
        builder = builder.script(&format!("{name}.txt"), "#!/bin/sh\n");
    }
    builder.build()
}

#[track_caller]
fn finds(project: &Project, query: &str, found: &str) {
    let run = project.wake(["query", query]).run().success();
    let names: Vec<&str> =
        run.stdout.lines().map(|label| label.trim_start_matches("//:")).collect();
    assert_eq!(names.join(" "), found, "{query}\n{run}");
}

#[test]
fn deps_rdeps_and_path_follow_needs() {
    let project = diamond();
    finds(&project, "deps(:top)", "base left right top");
    finds(&project, "rdeps(:base)", "base check left right top");
    finds(&project, "rdeps(:right + :check)", "check right top");
    finds(&project, "path(:top, :base)", "top left base");
    finds(&project, "path(:base, :top)", "");
    finds(&project, "//...", "aside base check left right top");
}

#[test]
fn set_operators_combine_queries() {
    let project = diamond();
    finds(&project, "deps(:top) - deps(:left)", "right top");
    finds(&project, "deps(:top) & rdeps(:left)", "left top");
    finds(&project, "//... - (rdeps(:base) + :aside)", "");
    finds(&project, ":aside + ':top'", "aside top");
}

#[test]
fn kinds_tags_and_files_select_modules() {
    let project = diamond();
    finds(&project, "kind(test)", "check");
    finds(&project, "kind(command)", "base");
    finds(&project, "kind(files, deps(:left))", "left");
    finds(&project, "tag(slow)", "right");
    finds(&project, "tag(slow, deps(:left))", "");
    finds(&project, "owner(left.txt)", "left");
    finds(&project, "owner(//check.txt) & kind(test)", "check");
    // The package file belongs to all modules of the package.
    finds(&project, "owner(PKG.libsonnet)", "aside base check left right top");
}

#[test]
fn an_imported_file_belongs_to_the_modules_that_import_it() {
    let project = project()
        .pkg("pkgs={ rules: wake.getPkg(wake.pkgInfo('rules', '^1'), from='./rules') }, modules=(import '@rules/r.libsonnet').one('a') + { b: './b.libsonnet' }")
        .pkg_at("rules", "rules", "files=['./r.libsonnet']")
        .file("rules/r.libsonnet", "{ one(name): { [name]: function(wake, pkg) wake.module(name) } }\n")
        .module("b.libsonnet", "b", "pkgFiles=[]")
        .build();
    finds(&project, "owner(b.libsonnet)", "b");
    finds(&project, "owner(rules/r.libsonnet)", "a b");
}

#[test]
fn results_are_printed_as_json_and_dot() {
    let project = diamond();
    project.wake(["query", "--format", "json", ":right + :base"]).run().success().prints(expect![
        [r#"
        [
          {
            "kind": "command",
            "label": "//:base",
            "needs": [],
            "tags": []
          },
          {
            "kind": "files",
            "label": "//:right",
            "needs": [
              "//:base"
            ],
            "tags": [
              "slow"
            ]
          }
        ]
    "#]
    ]);
    let dot = project.wake(["query", "--format", "dot", "deps(:left)"]).run().success().stdout;
    assert!(dot.starts_with("digraph wake {") && dot.contains("[label=\"//:left\"]"), "{dot}");
    assert_eq!(dot.matches(" -> ").count(), 1, "{dot}");
}

#[test]
fn each_configuration_is_a_module() {
    let project = project()
        .pkg("modules={ m: './m.libsonnet', all: function(wake, pkg) wake.module('all', modules={ one: pkg.modules.m({ n: 1 }), two: pkg.modules.m({ n: 2 }) }) }")
        .file("m.libsonnet", "function(wake, pkg, config={ n: 0 }) wake.module('m')\n")
        .build();
    finds(&project, "deps(:all)", "all m n=1 m n=2");
    finds(&project, "rdeps('//:m n=2')", "all m n=2");
    finds(&project, "rdeps(:m)", "all m m n=1 m n=2");
}

#[test]
fn errors_are_shown_at_their_position() {
    let project = diamond();
    let said = |query: &str, code: i32, expected: Expect| {
        let run = project.wake(["query", query]).run().code(code);
        expected.assert_eq(&run.redacted_stderr());
    };
    said(
        "deps(:top) + dep(:left)",
        2,
        expect![[r#"
        error: unknown function `dep`
         --> query:1:14
          |
        1 | deps(:top) + dep(:left)
          |              ^^^
          help: did you mean `deps`?
    "#]],
    );
    said(
        "deps(:top",
        2,
        expect![[r#"
        error: expected `)`, found the end
         --> query:1:10
          |
        1 | deps(:top
          |          ^
    "#]],
    );
    said(
        "deps(:top) - acme/z@1.0.0:lib",
        4,
        expect![[r#"
        error: no module matches `acme/z@1.0.0:lib`
         --> query:1:14
          |
        1 | deps(:top) - acme/z@1.0.0:lib
          |              ^^^^^^^^^^^^^^^^
          help: run `wake ls --all //...` to list the modules
    "#]],
    );
    said(
        "owner(none.txt)",
        2,
        expect![[r#"
        error: `none.txt`: No such file or directory (os error 2)
         --> query:1:7
          |
        1 | owner(none.txt)
          |       ^^^^^^^^
    "#]],
    );
}
