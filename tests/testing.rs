//! `wake test`: which tests run, what is reported, and what is cached.

#![allow(clippy::unwrap_used)]

use wake_tests::{Finished, Project, expect, project};

/// The tests `good`, `bad` and `slow`, and `lib`, which is not a test and which `good` needs.
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
fn tests_run_and_passes_are_cached() {
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
    assert_eq!(again.failed(), ["//:bad"], "failures are not cached");
    assert_eq!(again.ran(), [] as [&str; 0], "passes are cached");
    project.write("a.txt", "b\n");
    let broken = test(&project, &[]).code(3).events();
    let mut failed = broken.failed();
    failed.sort_unstable();
    assert_eq!(failed, ["//:bad", "//:good"]);
}

#[test]
fn a_build_omits_tests_unless_they_are_named() {
    let project = tests();
    assert_eq!(project.build(&["//..."]).ran(), ["//:lib"]);
    project.build_runs_nothing(&["//..."]);
    assert_eq!(project.build(&[":good"]).ran(), ["//:good"]);
    project.wake(["build", ":bad"]).run().code(3);
}

#[test]
fn tests_are_selected_by_options_and_targets() {
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
    project.wake(["test", ":lib"]).run().code(2).mentions("//:lib is not a test");
}

#[test]
fn no_matching_test_is_an_error() {
    let project = project().step("main", "echo > out.txt").build();
    project.wake(["test"]).run().code(4).mentions("error: nothing was tested");
}

#[test]
fn a_test_that_passes_after_a_retry_is_flaky() {
    // It fails if the clock's nanoseconds are odd: in enough runs, it does both.
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
    assert!(flaky, "in 40 runs, no test failed at first");
    project.wake(["test", "--runs", "64", "--retries", "0"]).run().code(3);
    project.wake(["test", "--retries", "0", "--runs", "1"]).run();
}

#[test]
fn a_hanging_test_is_stopped() {
    let project = project()
        .pkg(
            "modules={ hang: function(wake, pkg) wake.module('hang', test={ timeout: 0.2 }, exec=wake.exec(wake.program('sleep'), args=['100'])) },",
        )
        .build();
    let said = project.wake(["test"]).run().code(3).redacted_stderr();
    let said: Vec<&str> = said.lines().filter(|line| !line.starts_with('[')).collect();
    expect![[r#"
          log: wake log -o //:hang
        failed: //:hang"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn a_dependency_of_a_test_that_fails_is_a_build_failure() {
    let project = tests();
    project.edit("PKG.libsonnet", "wake.program('cp')", "wake.program('false')");
    let build = test(&project, &["--no-tag", "net"]).code(1).events();
    assert_eq!(build.failed(), ["//:lib"]);
}

#[test]
fn a_report_file_is_written() {
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
fn cases_of_a_test_are_distinguished() {
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

/// A test `t` that runs a script, which writes its report to `$XML_OUTPUT_FILE`.
fn reporting(script: &str) -> Project {
    project()
        .pkg("files=['./t.sh'], modules={ t: function(wake, pkg) wake.module('t', test=true, exec=wake.exec('./t.sh')) }")
        .script("t.sh", &format!("#!/bin/sh\n{script}\n"))
        .build()
}

const REPORT: &str = r#"cat > "$XML_OUTPUT_FILE" <<'END'
<testsuites><testsuite name="s" tests="3">
<testcase classname="math" name="adds"/>
<testcase classname="math" name="divides"><failure message="expected 2, was &quot;3&quot;">trace</failure></testcase>
<testcase name="later"><skipped message="no disk"/></testcase>
</testsuite></testsuites>
END
"#;

#[test]
fn the_report_of_a_test_is_shown_and_merged() {
    let project = reporting(&format!("{REPORT}exit 1"));
    let run = project.wake(["test", "--junit", "report.xml"]).run().code(3);
    run.mentions(
        "//:t: 1 of 3 cases failed: math.divides\n  math.divides: expected 2, was \"3\"\n",
    );
    let report = project.read("report.xml");
    for line in [
        "<testsuites tests=\"3\" failures=\"1\" skipped=\"1\"",
        "<testcase classname=\"//:t\" name=\"math.adds\"></testcase>",
        "<testcase classname=\"//:t\" name=\"math.divides\"><failure message=\"expected 2, was &quot;3&quot;\"></failure></testcase>",
        "<testcase classname=\"//:t\" name=\"later\"><skipped message=\"no disk\"/></testcase>",
    ] {
        assert!(report.contains(line), "no `{line}` in {report}");
    }
}

#[test]
fn the_report_of_a_pass_is_cached_with_it() {
    let project = reporting(
        &REPORT.replace("<failure message=\"expected 2, was &quot;3&quot;\">trace</failure>", ""),
    );
    project.wake(["test"]).run().success();
    let again = project.wake(["--message-format", "json", "test", "--junit", "report.xml"]).run();
    assert_eq!(again.success().events().ran(), [] as [&str; 0]);
    let report = project.read("report.xml");
    assert!(report.contains("name=\"math.divides\"></testcase>"), "{report}");
    assert!(report.contains("<testsuites tests=\"3\" failures=\"0\" skipped=\"1\""), "{report}");
}

#[test]
fn a_failed_test_without_failed_cases_is_a_failure() {
    let project = reporting(&format!(
        "{}exit 9",
        REPORT.replace("<failure message=\"expected 2, was &quot;3&quot;\">trace</failure>", "")
    ));
    project.wake(["test", "--junit", "report.xml"]).run().code(3);
    let report = project.read("report.xml");
    assert!(report.contains("<testsuites tests=\"4\" failures=\"1\" skipped=\"1\""), "{report}");
    assert!(report.contains("<testcase classname=\"//\" name=\"t\""), "{report}");
    assert!(report.contains("<failure message=\"exit 9\">"), "{report}");
}

#[test]
fn an_unreadable_report_is_reported_and_otherwise_ignored() {
    for (script, why) in [
        ("echo '<testsuite><testcase' > \"$XML_OUTPUT_FILE\"", "line 1, column "),
        (
            "printf '<!DOCTYPE a [<!ENTITY b \"c\">]>\\n<testsuite/>' > \"$XML_OUTPUT_FILE\"",
            "line 1, column 1: document type declarations are not allowed",
        ),
        (
            "{ echo '<testsuites>'; yes '<a>' | head -n 100000; } > \"$XML_OUTPUT_FILE\"",
            "elements are nested more than 100 levels deep",
        ),
        (
            "head -c 1000000000 /dev/zero > \"$XML_OUTPUT_FILE\"",
            "`.test-report.xml` is the test report and is larger than 16777216 bytes",
        ),
        (
            "mkdir \"$XML_OUTPUT_FILE\"",
            "`.test-report.xml` is the test report but not a regular file",
        ),
        (
            "ln -s /etc/passwd \"$XML_OUTPUT_FILE\"",
            "`.test-report.xml` is the test report but not a regular file",
        ),
        (
            "mkfifo \"$XML_OUTPUT_FILE\"",
            "`.test-report.xml` is the test report but not a regular file",
        ),
    ] {
        for (end, code) in [("", 0), ("exit 1", 3)] {
            let project = reporting(&format!("{script}\n{end}"));
            let run = project.wake(["test", "--junit", "report.xml"]).run().code(code);
            let said = "warning: //:t: cannot read its report: ";
            let line = run.stderr.lines().find(|line| line.contains(said));
            assert!(line.is_some_and(|line| line.contains(why)), "no `{why}` in {run}");
            let report = project.read("report.xml");
            assert!(report.contains("<testsuites tests=\"1\""), "{report}");
        }
    }
}

#[test]
fn a_test_may_set_the_path_of_its_report() {
    let project = project()
        .pkg(
            "modules={ t: function(wake, pkg) wake.module('t', test=true, exec=wake.exec(wake.program('sh'),\n      \
             env={ XML_OUTPUT_FILE: './out/r.xml' },\n      \
             args=['-c', 'mkdir out; echo \"<testsuite><testcase><failure/></testcase></testsuite>\" > out/r.xml; exit 1'])) }",
        )
        .build();
    project.wake(["test"]).run().code(3).mentions("//:t: 1 of 1 case failed: case 1\n");
}

#[test]
fn flaky_tests_are_counted_across_runs() {
    let counter = "modules={ odd: function(wake, pkg) wake.module('odd', test={ retries: 1 },\n      \
                   exec=wake.exec(wake.program('sh'), args=['-c', 'case $(od -An -tu1 -N1 /dev/urandom) in *[02468]) ;; *) exit 1 ;; esac'])) }";
    let project = project().pkg(counter).build();
    // Each run passes at once, passes after a retry, or fails, depending on random bytes; only the output tells which.
    let mut flaky = 0;
    let mut failed = 0;
    let mut said = String::new();
    for _ in 0..12 {
        let run = project.wake(["test", "--runs", "1"]).run();
        flaky += usize::from(run.stderr.contains("(flaky: failed 1 of 2 times)"));
        failed += usize::from(run.code == 3);
        said = run.stderr;
    }
    // A failed test is flaky as well, since the same key has passed, unless everything failed.
    let expected = if failed == 12 { 0 } else { flaky + failed };
    let listed = project.wake(["log", "--flaky"]).run().success().stdout;
    if expected == 0 {
        return assert_eq!(listed, "");
    }
    let line = format!("//:odd: flaky in {expected} of its last 12 runs\n");
    assert_eq!(listed, line);
    assert!(said.contains(&line), "no `{line}` in {said}");
    let json = project.wake(["log", "--flaky", "--json"]).run().success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, serde_json::json!([{ "test": "//:odd", "flaky": expected, "runs": 12 }]));
    let chosen = project.wake(["--message-format", "json", "test", "--flaky", "--runs", "1"]).run();
    assert_eq!(chosen.events().of_kind("action.finished").count(), 1);
}

#[test]
fn running_flaky_tests_without_any_is_an_error() {
    let project = tests();
    project.wake(["test", "--flaky"]).run().code(4).mentions("no test was flaky in its last runs");
    project.wake(["log", "--flaky"]).run().success().prints(expect![[""]]);
}

#[test]
fn endless_output_and_leftover_processes_are_stopped() {
    let project = reporting("head -c 1000000000 /dev/zero | tr '\\0' x");
    let run = project.wake(["test"]).run().success();
    assert!(run.stderr.len() < 100_000);
    let log = project.wake(["log", "-o", ":t"]).run().success();
    assert!(log.stdout.contains("bytes dropped]"), "{}", log.stdout.len());
    let project = reporting("sleep 1000 & (setsid sleep 1000 &) ; exit 0");
    project.wake(["test"]).run().success();
}
