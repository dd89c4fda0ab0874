//! `wake log --records`: exactly the commands that ran leave records.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use wake_tests::{Project, example, expect, has_busybox, project};

fn records(project: &Project) -> Vec<Value> {
    let listed = project.wake(["log", "--records", "--json"]).run().success();
    serde_json::from_str(&listed.stdout).unwrap()
}

fn record(project: &Project, args: &[&str]) -> Value {
    let printed = project.wake(["log", "--records"]).args(args).run().success();
    serde_json::from_str(&printed.stdout).unwrap()
}

#[test]
fn only_commands_that_ran_have_records() {
    let project = project()
        .pkg("files=['./step.sh'], modules={ m: './m.libsonnet', all: './all.libsonnet' }")
        .script("step.sh", "#!/bin/sh\nset -eu\necho said\necho warned >&2\ntouch out.txt\n")
        .module(
            "m.libsonnet",
            "m",
            "outputs=function(wake, pkg) { o: './out.txt' }, exec=wake.exec('./step.sh')",
        )
        .module(
            "all.libsonnet",
            "all",
            "modules={ m: pkg.modules.m({}) }, outputs=function(wake, pkg) { o: './step.sh' }",
        )
        .build();
    let nothing = project.wake(["log", "--records"]).run().success();
    assert_eq!(nothing.stdout, "");
    let build = project.build(&[]);
    assert_eq!(build.ran().len(), 2);
    project.build_runs_nothing(&[]);
    project.edit("step.sh", "touch out.txt", "exit 3");
    project.wake(["build"]).run().code(1);
    project.edit("step.sh", "exit 3", "true");
    project.wake(["build"]).run().code(1);

    let all = records(&project);
    let of = |at: usize, key: &str| all[at]["metadata"][key].as_str().unwrap_or("").to_owned();
    let codes: Vec<i64> = all.iter().map(|record| record["exitCode"].as_i64().unwrap()).collect();
    // Not `all`, which runs no command, and not cached steps.
    assert_eq!(codes, [0, 3, 0], "{all:?}");
    assert!((0..3).all(|at| of(at, "wake.module") == "//:m"), "{all:?}");
    let guids: BTreeSet<&str> = all.iter().map(|record| record["guid"].as_str().unwrap()).collect();
    assert_eq!(guids.len(), 3);
    assert_eq!(of(2, "wake.faults"), "`out.txt` was declared as an output but does not exist");
    for key in [
        "wake.run",
        "wake.key",
        "wake.wall_us",
        "wake.user_us",
        "wake.sys_us",
        "wake.peak_bytes",
        "wake.host",
        "wake.stdout",
        "wake.stderr",
    ] {
        assert!((0..3).all(|at| !of(at, key).is_empty()), "{key}: {all:?}");
    }
    assert_eq!((of(0, "wake.sandbox"), of(0, "wake.hermetic")), ("strict".into(), "no".into()));
    let event = build.of_kind("action.finished").find(|event| event["label"] == "//:m").unwrap();
    assert_eq!(
        (of(0, "wake.outputs"), of(0, "wake.key")),
        (event["outputs"].as_str().unwrap().into(), event["key"].as_str().unwrap().into())
    );
    assert_eq!(of(1, "wake.outputs"), "");

    assert_eq!(record(&project, &[all[1]["guid"].as_str().unwrap()]), all[1]);
    assert_eq!(record(&project, &["//:m"]), all[2], "the last record");
    let listed = project.wake(["log", "--records"]).run().success().stdout;
    let words: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        words
            .iter()
            .zip(&all)
            .all(|(words, record)| words[0] == record["guid"] && words.last() == Some(&"//:m")),
        "{listed}"
    );
    assert!(words[1].windows(2).any(|pair| pair == ["failed", "3"]), "{listed}");
}

#[test]
fn ids_are_computed_on_request() {
    if !has_busybox("ids_are_computed_on_request") {
        return;
    }
    let project = example("rootfs");
    project.build(&[]);
    let brief = record(&project, &[":concordance"]);
    assert!(brief.get("formulaID").is_none() && brief.get("results").is_none(), "{brief}");
    let whole = record(&project, &["--ids", ":concordance"]);
    let formula = project.wake(["plan", "--format", "formula", ":concordance"]).run().success();
    project.write("f.json", &formula.stdout);
    let id = project.wake(["formula", "id", "f.json"]).run().success().stdout;
    assert_eq!(whole["formulaID"], id.trim());
    let ran = project.wake(["formula", "run", "f.json"]).run().success();
    let ran: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(whole["results"], ran["results"]);
    assert_eq!((&whole["guid"], &whole["time"]), (&brief["guid"], &brief["time"]));
    assert!(whole["metadata"]["wake.result"].is_string());
    // The run of the formula is listed with those of the modules, and is recorded only in the store.
    let all = records(&project);
    assert_eq!((all.len(), &all[2]["guid"]), (3, &ran["guid"]));
    assert_eq!(fs::read_dir(project.store().join("outside/runs")).unwrap().count(), 1);

    project.edit("texts/river.txt", "stones", "sand");
    let gone = project.wake(["log", "--records", "--ids", ":concordance"]).run().code(4);
    gone.says(expect![[r#"
        error: //:concordance has changed since it ran as [RUN]
         = note: ids are computed from the command's inputs, and its files exist only in the checkout
         help: run the current version with `wake build //:concordance`
    "#]]);
}

#[test]
fn unknown_records_are_reported() {
    let project = project().step("m", "touch out.txt").build();
    project.build(&[]);
    project.wake(["log", "--records", "zz"]).run().code(4).says(expect![[r#"
        error: no record begins with `zz`
         help: run `wake log --records` to list the records
    "#]]);
    project.wake(["log", "--records", "//:n"]).run().code(4).says(expect![[r#"
        error: no build in this workspace ran `//:n`
         help: run `wake log --records` to list the records
    "#]]);
    project.wake(["log", "--records", "--ids"]).run().code(2).says(expect![[r#"
        error: `--ids` works for one record at a time: name one
         help: run `wake log --records` to list the records
    "#]]);
    project.wake(["log", "--ids"]).run().code(2).mentions("--records");
}
