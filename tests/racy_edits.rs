//! Edits that modification times do not reveal: content decides, never times.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime};

use wake_tests::{Project, project};

fn copying() -> Project {
    let project = project().step("copy", "cat data > out.txt").file("data", "one\n").build();
    project.edit("PKG.libsonnet", "['./step.sh']", "['./step.sh', './data']");
    project
}

fn set_times(project: &Project, path: &str, time: SystemTime) {
    let file = File::options().append(true).open(project.path(path)).unwrap();
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
}

#[track_caller]
fn expect_result(project: &Project, text: &str) {
    assert_eq!(project.build(&[]).ran(), ["//:copy"]);
    assert_eq!(project.result_text("//:copy", "out.txt"), text);
}

#[test]
fn same_size_and_time_in_place() {
    let project = copying();
    project.build(&[]);
    let time = fs::metadata(project.path("data")).unwrap().modified().unwrap();
    project.write("data", "two\n");
    set_times(&project, "data", time);
    expect_result(&project, "two\n");
}

#[test]
fn same_size_and_time_by_rename() {
    let project = copying();
    project.build(&[]);
    let time = fs::metadata(project.path("data")).unwrap().modified().unwrap();
    project.write("data.new", "two\n");
    set_times(&project, "data.new", time);
    fs::rename(project.path("data.new"), project.path("data")).unwrap();
    expect_result(&project, "two\n");
}

#[test]
fn an_old_time() {
    let project = copying();
    project.build(&[]);
    project.write("data", "two\n");
    set_times(&project, "data", SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    expect_result(&project, "two\n");
}

#[test]
fn a_time_in_the_future_twice() {
    let project = copying();
    let future = SystemTime::now() + Duration::from_secs(1_000_000);
    set_times(&project, "data", future);
    project.build(&[]);
    project.write("data", "two\n");
    set_times(&project, "data", future);
    expect_result(&project, "two\n");
}

#[test]
fn many_edits_within_one_tick_of_the_clock() {
    let project = copying();
    project.build(&[]);
    let time = fs::metadata(project.path("data")).unwrap().modified().unwrap();
    for round in 0..20 {
        let text = format!("{:03}\n", round);
        project.write("data", &text);
        set_times(&project, "data", time);
        expect_result(&project, &text);
    }
}

#[test]
fn jsonnet_of_the_same_size_and_time() {
    let project = project().step_with("copy", "cat > out.txt", "config='one'").build();
    project.build(&[]);
    let time = fs::metadata(project.path("step.libsonnet")).unwrap().modified().unwrap();
    project.edit("step.libsonnet", "'one'", "'two'");
    set_times(&project, "step.libsonnet", time);
    expect_result(&project, "\"two\"\n");
}

#[test]
fn a_source_edited_while_its_step_runs_does_not_poison_the_cache() {
    // The step reads its source before and after the edit; if the edit came too late even so, the
    // test checks less, but does not fail.
    let project = project()
        .step("slow", "cat data > out.txt; sleep 2; cat data >> out.txt")
        .file("data", "one\n")
        .build();
    project.edit("PKG.libsonnet", "['./step.sh']", "['./step.sh', './data']");

    let mut child = project.json_build(&[]).spawn();
    drop(wait_for_start(child.stdout.take().unwrap()));
    project.write("data", "two\n");
    child.wait().unwrap();

    // Whatever the result of that build: the cached result for either text is that text's.
    project.build(&[]);
    assert_eq!(project.result_text("//:slow", "out.txt"), "two\ntwo\n");
    project.write("data", "one\n");
    project.build(&[]);
    assert_eq!(project.result_text("//:slow", "out.txt"), "one\none\n");
}

/// `late` reads its source after `early`, which takes a moment.
fn waiting() -> Project {
    project()
        .pkg(
            "files=['./data', './early.sh', './late.sh'],\n    \
             modules={ early: './early.libsonnet', late: './late.libsonnet' }",
        )
        .file("data", "one\n")
        .script("early.sh", "#!/bin/sh\nsleep 2; echo > out.txt\n")
        .script("late.sh", "#!/bin/sh\ncat data > out.txt || echo none > out.txt\n")
        .module(
            "early.libsonnet",
            "early",
            "pkgFiles=['./early.sh'], outputs=function(wake, pkg) { out: './out.txt' },\n    \
             exec=wake.exec('./early.sh')",
        )
        .module(
            "late.libsonnet",
            "late",
            "modules={ early: pkg.modules.early() }, pkgFiles=['./late.sh', './data'],\n    \
             outputs=function(wake, pkg) { out: './out.txt' },\n    \
             exec=wake.exec('./late.sh', args=[wake.ref('modules.early.output.out')])",
        )
        .build()
}

#[test]
fn a_source_edited_before_its_step_is_built_consistently() {
    let project = waiting();
    let mut child = project.json_build(&[":late"]).spawn();
    drop(wait_for_start(child.stdout.take().unwrap()));
    project.write("data", "two\n");
    assert!(child.wait().unwrap().success());
    let text = project.result_text("//:late", "out.txt");
    assert!(["one\n", "two\n"].contains(&text.as_str()), "{text}");

    project.build(&[":late"]);
    assert_eq!(project.result_text("//:late", "out.txt"), "two\n");
    project.write("data", "one\n");
    project.build(&[":late"]);
    assert_eq!(project.result_text("//:late", "out.txt"), "one\n");
}

#[test]
fn a_source_removed_before_its_step_begins_is_not_omitted() {
    let project = waiting();
    let mut child = project.json_build(&[":late"]).spawn();
    let events = wait_for_start(child.stdout.take().unwrap());
    fs::remove_file(project.path("data")).unwrap();
    if child.wait().unwrap().success() {
        // The removal came too late.
        assert_eq!(project.result_text("//:late", "out.txt"), "one\n");
    } else {
        let rest = events.join().unwrap().concat();
        assert!(rest.contains("`data` changed while it was in use"), "{rest}");
    }
    let failed = project.wake(["build", ":late"]).run().code(5);
    failed.mentions("there is no file `./data` in the package");
    project.write("data", "two\n");
    project.build(&[":late"]);
    assert_eq!(project.result_text("//:late", "out.txt"), "two\n");
}

/// Reads events until an action has started, and keeps reading in the background so that the pipe never fills.
fn wait_for_start(stdout: std::process::ChildStdout) -> std::thread::JoinHandle<Vec<String>> {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(stdout).lines();
    let started = lines.by_ref().map_while(Result::ok).any(|line| line.contains("action.started"));
    assert!(started, "no action started");
    std::thread::spawn(move || lines.map_while(Result::ok).collect())
}
