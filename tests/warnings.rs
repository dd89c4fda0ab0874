//! Standard error of successful commands.

#![allow(clippy::unwrap_used)]

use wake_tests::{Project, expect, project};

fn warning() -> Project {
    project().step("m", "echo 'step.sh:3: warning: old' >&2; touch out.txt").build()
}

#[test]
fn warnings_are_shown_once_when_the_command_runs() {
    let project = warning();
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] //:m wrote to standard error
          | step.sh:3: warning: old
        [TIME] Finished 1 action in [TIME]
    "#]]);
    project.wake(["build"]).run().success().says(expect![[r#"
        [TIME] Finished 1 action, all cached, in [TIME]
    "#]]);
}

#[test]
fn warnings_can_be_shown_never_or_always() {
    let project = warning();
    let none = project.wake(["build", "--warnings", "none"]).run().success();
    assert!(!none.stderr.contains("warning"), "{none}");
    for _ in 0..2 {
        project.wake(["build", "--warnings", "all"]).run().success().says(expect![[r#"
            [TIME] evaluated 1 module of 1 package (2 of 2 from cache)
            [TIME] //:m wrote to standard error when it ran
              | step.sh:3: warning: old
            [TIME] Finished 1 action, all cached, in [TIME]
        "#]]);
    }
    let bar = project.wake(["build", "--warnings", "all", "--progress", "none"]).run().success();
    assert!(bar.stderr.contains("Warned by //:m"), "{bar}");
}

#[test]
fn warnings_are_stored_with_the_result_for_every_checkout() {
    let project = warning();
    project.build(&[]);
    std::fs::remove_dir_all(project.path(".wake")).unwrap();
    let all = project.wake(["build", "--warnings", "all"]).run().success();
    assert!(all.stderr.contains("step.sh:3: warning: old"), "{all}");
    let log = project.wake(["log", "-o", ":m"]).run().success();
    assert_eq!(log.stdout, "step.sh:3: warning: old\n");
}

#[test]
fn run_shows_warnings() {
    let project = project()
        .pkg("files=['./step.sh'], modules={ m: './m.libsonnet' }")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { bin: './bin' }, exec=wake.exec('./step.sh')",
        )
        .script("step.sh", "#!/bin/sh\necho careful >&2; cp /bin/true bin\n")
        .build();
    project.wake(["run", "--warnings", "none", ":m"]).run().success().says(expect![[r#"
        [TIME] evaluated 1 module of 1 package (0 of 2 from cache)
        [TIME] Finished 1 action in [TIME]
    "#]]);
    let all = project.wake(["run", "--warnings", "all", ":m"]).run().success();
    assert!(all.stderr.contains("careful"), "{all}");
}
