//! `why`, `plan`, `graph`, `log`, `ls`: every decision can be explained by the code that took it.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, project};

/// `report` shows what `count` made of `words.txt`.
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
fn why_the_first_time() {
    let project = two_steps();
    project.build(&[":report"]);
    project.wake(["why", ":report"]).run().success().prints(expect![[""]]);
}

#[test]
fn why_names_the_file() {
    let project = two_steps();
    project.build(&[":report"]);
    project.write("words.txt", "one two three\n");
    project.build(&[":report"]);
    let why = project.wake(["why", ":count"]).run().success();
    assert!(why.stdout.contains("words.txt"), "{why}");
    why.prints(expect![[""]]);
}

#[test]
fn why_follows_a_dependency_down_to_the_file() {
    let project = two_steps();
    project.build(&[":report"]);
    project.write("words.txt", "one two three\n");
    project.build(&[":report"]);
    let why = project.wake(["why", ":report"]).run().success();
    assert!(why.stdout.contains("//:count") && why.stdout.contains("words.txt"), "{why}");
    why.prints(expect![[""]]);
}

#[test]
fn why_names_the_value_and_its_place() {
    let project = two_steps();
    project.build(&[":report"]);
    project.edit("report.libsonnet", "'words'", "'WORDS'");
    project.build(&[":report"]);
    let why = project.wake(["why", ":report"]).run().success();
    for part in ["words", "WORDS", "report.libsonnet:"] {
        assert!(why.stdout.contains(part), "no {part}\n{why}");
    }
    why.prints(expect![[""]]);
}

#[test]
fn why_nothing_ran() {
    let project = two_steps();
    project.build(&[":report"]);
    project.build(&[":report"]);
    project.wake(["why", ":report"]).run().success().prints(expect![[""]]);
}

#[test]
fn why_before_any_build() {
    let project = two_steps();
    let run = project.wake(["why", ":report"]).run();
    run.says(expect![[""]]);
}

#[test]
fn plan_says_what_would_run_and_runs_nothing() {
    let project = two_steps();
    project.wake(["plan", ":report"]).run().success().prints(expect![[""]]);
    assert!(!project.path(".wake/out").exists());
    project.build(&[":report"]);
    project.wake(["plan", ":report"]).run().success().prints(expect![[""]]);
    project.edit("words.txt", "two", "zwei");
    project.wake(["plan", ":report"]).run().success().prints(expect![[""]]);
    assert_eq!(project.build(&[":report"]).ran(), ["//:count"]);
}

#[test]
fn graph_in_three_formats() {
    let project = two_steps();
    for (format, expected) in
        [("dot", expect![[""]]), ("mermaid", expect![[""]]), ("json", expect![[""]])]
    {
        project.wake(["graph", ":report", "--format", format]).run().success().prints(expected);
    }
}

#[test]
fn ls_lists_packages_and_modules() {
    let project = two_steps();
    project.wake(["ls"]).run().success().prints(expect![[""]]);
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
fn log_knows_what_failed() {
    let project = project().step("m", "exit 4").build();
    project.wake(["build"]).run().code(1);
    let log = project.wake(["log", "--failed"]).run().success();
    assert!(log.stdout.contains("//:m"), "{log}");
}

#[test]
fn traces_are_shown_also_when_the_evaluation_is_remembered() {
    let project = two_steps();
    project.edit("report.libsonnet", "wake.module(", "std.trace('looking', wake.module)(");
    for _ in 0..2 {
        project.wake(["build", ":report"]).run().success().mentions("looking");
    }
}
