//! `why`, `plan`, `graph`, `log`, `ls`: every decision is explained by the code that made it.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, has_program, is_root, project, skip};

/// `report` shows what `count` computed from `words.txt`.
fn two_steps() -> Project {
    project()
        .pkg(
            "files=['./words.txt', './count.sh', './report.sh'],\n    \
             modules={ count: './count.libsonnet', report: './report.libsonnet' }",
        )
        .file("words.txt", "one two\n")
        .script("count.sh", "#!/bin/sh\nwc -w < words.txt > count.txt\n")
        .script("report.sh", "#!/bin/sh\ncat \"$2\" > out.txt\necho \"$1\" >> out.txt\n")
        .module(
            "count.libsonnet",
            "count",
            "pkgFiles=['./words.txt', './count.sh'],\n    \
             outputs=function(wake, pkg) { count: './count.txt' }, exec=wake.exec('./count.sh')",
        )
        .module(
            "report.libsonnet",
            "report",
            "modules={ count: pkg.modules.count() }, pkgFiles=['./report.sh'],\n    \
             outputs=function(wake, pkg) { text: './out.txt' },\n    \
             exec=wake.exec('./report.sh', args=['words', wake.ref('modules.count.output.count')])",
        )
        .build()
}

#[test]
fn why_explains_a_first_build() {
    let project = two_steps();
    project.build(&[":report"]);
    project.wake(["why", ":report"]).run().success().prints(expect![[r#"
        //:report has had the same key since it was first built here
    "#]]);
}

#[test]
fn why_names_the_changed_file() {
    let project = two_steps();
    project.build(&[":report"]);
    project.write("words.txt", "one two three\n");
    project.build(&[":report"]);
    let why = project.wake(["why", ":count"]).run().success();
    assert!(why.stdout.contains("words.txt"), "{why}");
    why.prints(expect![[r#"
        //:count ran last because of: changed inputs words.txt
          changed inputs.words.txt  file 927b58a0b435 -> file 3b9eaf57835b  at words.txt
          unchanged: [N] other fields
    "#]]);
}

#[test]
fn why_follows_dependencies_down_to_the_changed_file() {
    let project = two_steps();
    project.build(&[":report"]);
    project.write("words.txt", "one two three\n");
    project.build(&[":report"]);
    let why = project.wake(["why", ":report"]).run().success();
    assert!(why.stdout.contains("//:count") && why.stdout.contains("words.txt"), "{why}");
    why.prints(expect![[r#"
        //:report ran last because of: changed inputs .wake/modules/@root@1.0.0@count@2abfec6d860d545a/count.txt
          changed inputs..wake/modules/@root@1.0.0@count@2abfec6d860d545a/count.txt  file b9a1a3183dd3 -> file 49124bf4f7f3
            because //:count ran last because of: changed inputs words.txt
              changed inputs.words.txt  file 927b58a0b435 -> file 3b9eaf57835b  at words.txt
              unchanged: [N] other fields
          unchanged: [N] other fields
    "#]]);
}

#[test]
fn why_names_the_changed_value_and_its_position() {
    let project = two_steps();
    project.build(&[":report"]);
    // The value does not come from a comment that contains it.
    project.edit("report.libsonnet", "'words'", "/* 'WORDS' */ 'WORDS'");
    project.build(&[":report"]);
    let why = project.wake(["why", ":report"]).run().success();
    for part in ["words", "WORDS", "report.libsonnet:"] {
        assert!(why.stdout.contains(part), "no {part}\n{why}");
    }
    why.prints(expect![[r#"
        //:report ran last because of: changed args 0
          changed args.0  "words" -> "WORDS"  at report.libsonnet:6:55
          unchanged: [N] other fields
    "#]]);
}

#[test]
fn why_explains_that_nothing_ran() {
    let project = two_steps();
    project.build(&[":report"]);
    project.build(&[":report"]);
    project.wake(["why", ":report"]).run().success().prints(expect![[r#"
        //:report has had the same key since it was first built here
    "#]]);
}

#[test]
fn why_works_before_any_build() {
    let project = two_steps();
    project.wake(["why", ":report"]).run().says(expect![[""]]).prints(expect![[r#"
        //:report can be compared only after its dependencies have run
          waits for outputs of //:count
            because //:count: never built here
    "#]]);
}

#[test]
fn plan_lists_what_would_run_without_running_it() {
    let project = two_steps();
    project.wake(["plan", ":report"]).run().success().prints(expect![[r#"
        run     //:count   never built here
        unknown //:report  waits for //:count
        2 steps: 0 cached, 1 to run, 1 unknown
    "#]]);
    assert!(!project.path(".wake/out").exists());
    project.build(&[":report"]);
    project.wake(["plan", ":report"]).run().success().prints(expect![[r#"
        hit     //:count   remembered
        hit     //:report  remembered
        2 steps: 2 cached, 0 to run, 0 unknown
    "#]]);
    project.edit("words.txt", "two", "zwei");
    project.wake(["plan", ":report"]).run().success().prints(expect![[r#"
        run     //:count   changed inputs words.txt (usual [TIME])
        unknown //:report  waits for //:count (usual [TIME])
        2 steps: 0 cached, 1 to run, 1 unknown
    "#]]);
    assert_eq!(project.build(&[":report"]).ran(), ["//:count"]);
}

#[test]
fn graph_prints_three_formats() {
    let project = two_steps();
    for (format, expected) in [
        (
            "dot",
            expect![[r#"
            digraph wake {
              rankdir=LR;
              node [shape=box];
              0 [label="//:count"];
              1 [label="//:report", style=bold];
              1 -> 0 [label="count"];
            }
        "#]],
        ),
        (
            "mermaid",
            expect![[r#"
            flowchart LR
              s0["//:count"]
              s1(["//:report"])
              s1 -->|"count"| s0
        "#]],
        ),
        (
            "json",
            expect![[r#"
            {
              "nodes": [
                {
                  "id": 0,
                  "label": "//:count",
                  "requested": false
                },
                {
                  "id": 1,
                  "label": "//:report",
                  "requested": true
                }
              ],
              "edges": [
                {
                  "from": 1,
                  "to": 0,
                  "key": "count"
                }
              ]
            }
        "#]],
        ),
    ] {
        project.wake(["graph", ":report", "--format", format]).run().success().prints(expected);
    }
}

#[test]
fn ls_lists_packages_and_modules() {
    let project = two_steps();
    project.wake(["ls"]).run().success().prints(expect![[r#"
        //  root@1.0.0
          //:count
          //:report
    "#]]);
}

#[test]
fn log_lists_runs_and_prints_output() {
    let project = project().step("m", "echo to stdout; echo to stderr >&2; touch out.txt").build();
    project.build(&[]);
    let log = project.wake(["log"]).run().success();
    assert!(log.stdout.contains("build"), "{log}");
    let output = project.wake(["log", "-o", "//:m"]).run().success();
    assert!(output.stdout.contains("to stdout") && output.stdout.contains("to stderr"), "{output}");
}

#[test]
fn log_lists_failed_steps() {
    let project = project().step("m", "exit 4").build();
    project.wake(["build"]).run().code(1);
    let log = project.wake(["log", "--failed"]).run().success();
    assert!(log.stdout.contains("//:m"), "{log}");
}

#[test]
fn traces_are_shown_for_cached_evaluations() {
    let project = two_steps();
    project.edit("report.libsonnet", "wake.module(", "std.trace('looking', wake.module)(");
    for _ in 0..2 {
        project.wake(["build", ":report"]).run().success().mentions("looking");
    }
}

#[test]
fn why_names_changes_of_the_host() {
    let status = std::path::Path::new("/var/lib/dpkg/status");
    if !is_root() || !status.is_file() || !has_program("unshare") {
        return skip("why_names_changes_of_the_host", "needs root, dpkg and unshare");
    }
    let project = project().step("m", "touch out.txt").build();
    project.build(&[]);
    let game =
        "\nPackage: zz-game\nStatus: install ok installed\nVersion: 1.0-2\nArchitecture: all\n";
    let other = std::fs::read_to_string(status).unwrap() + game;
    std::fs::write(project.base().join("status"), other).unwrap();
    let bind = format!(
        "mount --bind {} {}; exec \"$0\" \"$@\"",
        project.base().join("status").display(),
        status.display()
    );
    let elsewhere = |args: &[&str]| {
        project.wake(args).wrapper(["unshare", "--mount", "--", "sh", "-euc", &bind]).run()
    };
    elsewhere(&["build"]).success();
    let why = elsewhere(&["why", ":m"]).success();
    assert!(why.stdout.contains("  changed rootfs  host "), "{why}");
    assert!(why.stdout.contains("because one thing about the host changed\n"), "{why}");
    assert!(why.stdout.contains("added package zz-game  1.0-2\n"), "{why}");
}

/// A key has one digest for many own files, which does not tell which of them changed.
#[test]
fn why_names_one_changed_file_among_many() {
    let project = project().step("m", "cat many/* > out.txt").build();
    project.edit("PKG.libsonnet", "'./step.sh'", "'./step.sh', wake.dir('many/**')");
    for number in 0..300 {
        project.write(&format!("many/{number:03}"), format!("{number}\n"));
    }
    project.build(&[]);
    let why = |expected: wake_tests::Expect| {
        project.wake(["why", ":m"]).run().success().prints(expected);
    };
    // As planned now, and as recorded by the last build: both give the same answer.
    project.write("many/007", "seven\n");
    why(expect![[r#"
        //:m would run because of: changed inputs many/007
          changed inputs.many/007  file dedc9531a3ea -> file 8ebf29de6a5c  at many/007
          unchanged: [N] other fields
    "#]]);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    why(expect![[r#"
        //:m ran last because of: changed inputs many/007
          changed inputs.many/007  file dedc9531a3ea -> file 8ebf29de6a5c  at many/007
          unchanged: [N] other fields
    "#]]);
    project.write("many/007", "7\n");
    project.build_runs_nothing(&[]);
    project.edit("PKG.libsonnet", "function(wake)", "// Anew.\nfunction(wake)");
    project.build_runs_nothing(&[]);
    project.write("many/300", "300\n");
    std::fs::remove_file(project.path("many/001")).unwrap();
    why(expect![[r#"
        //:m would run because of: added inputs many/300
          added inputs.many/300  file 8ca881171603  at many/300
          removed inputs.many/001  file 50cc1102b1c6
          unchanged: [N] other fields
    "#]]);
    assert_eq!(project.build(&[]).ran(), ["//:m"]);
    // So few that each is named separately.
    for number in 100..300 {
        std::fs::remove_file(project.path(&format!("many/{number:03}"))).unwrap();
    }
    let few = project.wake(["why", ":m"]).run().success().stdout;
    assert_eq!(few.lines().filter(|line| line.contains("inputs.many/")).count(), 200, "{few}");
}
