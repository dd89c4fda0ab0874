//! `wake test`: which tests run, what is said of them, what is remembered.

#![allow(clippy::unwrap_used)]

use wake_tests::{Finished, Project, expect, project};

/// Modules `good`, `bad` and `slow`, which are tests, and `lib`, which is none and which `good` needs.
fn tests() -> Project {
    project()
        .pkg(
            "files=['./a.txt'], modules={\n      \
             lib: function(wake, pkg) wake.module('lib', outputs=function(wake, pkg) { text: './out.txt' },\n        \
             exec=wake.exec(wake.program('cp'), args=['a.txt', 'out.txt'])),\n      \
             good: function(wake, pkg) wake.module('good', test=true, pkgFiles=[], modules={ lib: pkg.modules.lib() },\n        \
             exec=wake.exec(wake.program('grep'), args=['-q', 'a', wake.ref('modules.lib.output.text')])),\n      \
             bad: function(wake, pkg) wake.module('bad', test={ tags: ['net'] }, pkgFiles=[],\n        \
             exec=wake.exec(wake.program('sh'), args=['-c', 'echo broken >&2; exit 7'])),\n      \
             slow: function(wake, pkg) wake.module('slow', test=true, tags=['slow', 'manual'], pkgFiles=[],\n        \
             exec=wake.exec(wake.program('true'))),\n    },",
        )
        .file("a.txt", "a\n")
        .build()
}

fn test(project: &Project, args: &[&str]) -> Finished {
    project.wake(["--message-format", "json", "test"]).args(args).run()
}

#[test]
fn tests_run_and_passes_are_remembered() {
    let project = tests();
    let said = project.wake(["test"]).run().code(3).redacted_stderr();
    for line in [
        "[TIME] FAIL //:bad (exit 7, [TIME])  sh -c 'echo broken >&2; exit 7'\n  | broken\n  log: wake log -o //:bad\n",
        "[TIME] PASS //:good [TIME]\n",
        "[TIME] tested 2 tests: 1 passed, 1 failed\n[TIME] FAILED 1 of 3 actions failed",
        "\nfailed: //:bad\n",
    ] {
        assert!(said.contains(line), "no `{line}` in:\n{said}");
    }
    let again = test(&project, &[]).code(3).events();
    assert_eq!(again.failed(), ["//:bad"], "a failure is not remembered");
    assert_eq!(again.ran(), [] as [&str; 0], "a pass is");
    project.write("a.txt", "b\n");
    let broken = test(&project, &[]).code(3).events();
    let mut failed = broken.failed();
    failed.sort_unstable();
    assert_eq!(failed, ["//:bad", "//:good"]);
}

#[test]
fn a_build_leaves_tests_out_unless_they_are_named() {
    let project = tests();
    assert_eq!(project.build(&["//..."]).ran(), ["//:lib"]);
    project.build_runs_nothing(&["//..."]);
    assert_eq!(project.build(&[":good"]).ran(), ["//:good"]);
    project.wake(["build", ":bad"]).run().code(3);
}

#[test]
fn tests_are_chosen() {
    let project = tests();
    let ran = |args: &[&str]| {
        let build = test(&project, &[args, &["--runs", "1"]].concat()).events();
        let mut ran: Vec<String> = build.ran().iter().map(|label| label.to_string()).collect();
        ran.extend(build.failed().iter().map(|label| label.to_string()));
        ran.retain(|label| label != "//:lib");
        ran.sort();
        ran
    };
    assert_eq!(ran(&["--no-tag", "net"]), ["//:good"]);
    assert_eq!(ran(&["--tag", "net"]), ["//:bad"]);
    assert_eq!(ran(&["--tag", "manual"]), ["//:slow"]);
    assert_eq!(ran(&[":slow"]), ["//:slow"]);
    assert_eq!(ran(&["--filter", "oo"]), ["//:good"]);
    let mut shares = [ran(&["--shard", "1/2"]), ran(&["--shard", "2/2"])].concat();
    shares.sort();
    assert_eq!(shares, ["//:bad", "//:good"]);
    assert_eq!(ran(&["--failed"]), ["//:bad"]);
    test(&project, &["--filter", "nothing"]).code(4);
    test(&project, &["--shard", "3/2"]).code(2);
    test(&project, &["--filter", "("]).code(2);
    project.wake(["test", ":lib"]).run().code(2).mentions("//:lib is no test");
}

#[test]
fn nothing_tested_is_no_success() {
    let project = project().step("main", "echo > out.txt").build();
    project.wake(["test"]).run().code(4).mentions("error: nothing was tested");
}

#[test]
fn a_test_that_passes_at_last_is_flaky() {
    // It fails when the clock's nanoseconds are odd: tried often enough, it does both.
    let project = project()
        .pkg(
            "modules={ odd: function(wake, pkg) wake.module('odd', test={ retries: 100 },\n      \
             exec=wake.exec(wake.program('sh'), args=['-c', 'case $(od -An -tu1 -N1 /dev/urandom) in *[02468]) ;; *) exit 1 ;; esac'])) },",
        )
        .build();
    let flaky = (0..40).any(|_| {
        let run = project.wake(["test", "--runs", "1"]).run().success();
        run.stderr.contains("flaky: //:odd")
    });
    assert!(flaky, "in 40 runs it never failed first");
    project.wake(["test", "--runs", "64", "--retries", "0"]).run().code(3);
    project.wake(["test", "--retries", "0", "--runs", "1"]).run();
}

#[test]
fn a_test_that_hangs_ends() {
    let project = project()
        .pkg(
            "modules={ hang: function(wake, pkg) wake.module('hang', test={ timeout: 0.2 }, exec=wake.exec(wake.program('sleep'), args=['100'])) },",
        )
        .build();
    project.wake(["test"]).run().code(3).mentions("time limit");
}

#[test]
fn what_tests_need_and_cannot_be_built_is_a_failure_of_the_build() {
    let project = tests();
    project.edit("PKG.libsonnet", "wake.program('cp')", "wake.program('false')");
    let build = test(&project, &["--no-tag", "net"]).code(1).events();
    assert_eq!(build.failed(), ["//:lib"]);
}

#[test]
fn a_report_is_written() {
    let project = tests();
    project.wake(["test", "--junit", "report.xml"]).run().code(3);
    let report = project.read("report.xml");
    let time = regex::Regex::new("time=\"[0-9.]+\"").unwrap();
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="1" skipped="0" time="T">
        <testsuite name="wake" tests="2" failures="1" errors="0" skipped="0" time="T">
        <testcase classname="//" name="bad" time="T"><failure message="exit 7"></failure><system-err>broken
        </system-err></testcase>
        <testcase classname="//" name="good" time="T"></testcase>
        </testsuite>
        </testsuites>
    "#]].assert_eq(&time.replace_all(&report, "time=\"T\""));
    project
        .wake(["test", "--junit", "no/such/dir/report.xml"])
        .run()
        .code(10)
        .mentions("report.xml");
}

#[test]
fn cases_of_a_test_are_told_apart() {
    let project = project()
        .pkg(
            "modules={ tap: function(wake, pkg) wake.module('tap', test=true, exec=wake.exec(wake.program('sh'),\n      \
             args=['-c', 'echo 1..3; echo ok 1 - adds; echo not ok 2 - divides; echo ok 3 - later \"# SKIP\"; exit 1'])) },",
        )
        .build();
    let run = project.wake(["test", "--junit", "report.xml"]).run().code(3);
    run.mentions("//:tap: 1 of 3 cases failed: divides\n");
    let report = project.read("report.xml");
    for line in [
        "<testsuites tests=\"3\" failures=\"1\" skipped=\"1\"",
        "<testcase classname=\"//:tap\" name=\"adds\"></testcase>",
        "<testcase classname=\"//:tap\" name=\"divides\"><failure message=\"not ok\"></failure></testcase>",
        "<testcase classname=\"//:tap\" name=\"later\"><skipped/></testcase>",
    ] {
        assert!(report.contains(line), "no `{line}` in {report}");
    }
}
