//! `wake plan --format formula`: modules printed as formulas, and run again from these with nothing but the
//! document and the warehouse.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wake_tests::{
    Expect, Finished, Project, copy_of_binary, copy_tree, example, expect, has_busybox, is_root,
    project, skip,
};

/// Prints the formula of a built module, and packs its inputs into `warehouse`.
#[track_caller]
fn print(project: &Project, target: &str, file: &str) -> Value {
    let args = ["plan", "--format", "formula", "--warehouse", "warehouse", target];
    let printed = project.wake(args).run().success();
    project.write(file, &printed.stdout);
    serde_json::from_str(&printed.stdout).unwrap()
}

/// Runs a document with an empty store.
#[track_caller]
fn replay(project: &Project, file: &str) -> Value {
    let store = project.base().join(format!("empty-{file}"));
    let ran = project.wake(["formula", "run", file]).store(store).run().success();
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The ware of a result, packed by hand with the default modes of new files.
fn packed(project: &Project, label: &str, output: &str) -> String {
    let copy = project.base().join("copy");
    let _ = fs::remove_dir_all(&copy);
    let _ = fs::remove_file(&copy);
    let result = project.result(label, output);
    if result.is_dir() {
        copy_tree(&result, &copy);
    } else {
        fs::copy(&result, &copy).unwrap();
    }
    open(&copy);
    let id = project.wake(["ware", "id", "tar"]).arg(&copy).run().success();
    id.stdout.trim().to_owned()
}

fn open(path: &Path) {
    let metadata = path.symlink_metadata().unwrap();
    if metadata.is_symlink() {
        return;
    }
    let mode = if metadata.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| open(&entry.unwrap().path()));
    }
}

/// Builds, prints, replays, and compares every output.
#[track_caller]
fn comes_out_the_same(project: &Project, label: &str) -> Value {
    let file = format!("{}.json", label.replace(['/', ':'], "_"));
    let document = print(project, label, &file);
    let record = replay(project, &file);
    assert_eq!(record["exitCode"], 0, "{label}");
    let computed = project.wake(["log", "--records", "--ids", label]).run().success();
    let computed: Value = serde_json::from_str(&computed.stdout).unwrap();
    let same = |field: &str| computed[field] == record[field];
    assert!(same("formulaID") && same("results"), "{label}: {computed}");
    let results = record["results"].as_object().unwrap();
    assert!(!results.is_empty());
    for (path, ware) in results {
        let output = path.strip_prefix("/work/").unwrap();
        assert_eq!(*ware, packed(project, label, output), "{label}: {path}");
    }
    document
}

#[test]
fn modules_of_the_monorepo_are_replayed_as_formulas() {
    let project = example("monorepo");
    project.build(&["//..."]);
    for label in [
        "//libs/text:lib",
        "//libs/geo:gen",
        "//apps:nearest",
        "//apps:tests",
        "//py/pyreport:pyz",
        "//py/pyreport:cities",
        "//docs:manual",
        "//:release",
    ] {
        comes_out_the_same(&project, label);
    }
}

#[test]
fn a_build_in_a_root_of_its_own_is_hermetic() {
    if !has_busybox("a_build_in_a_root_of_its_own_is_hermetic") {
        return;
    }
    let project = example("rootfs");
    project.build(&[]);
    comes_out_the_same(&project, "//:os");
    let document = comes_out_the_same(&project, "//:concordance");
    let inputs = document["formula"]["inputs"].as_object().unwrap();
    assert!(inputs.values().all(|input| !input.as_str().unwrap().starts_with("mount:")));
    // Cached, like every hermetic formula.
    let again = project.wake(["formula", "run", "___concordance.json"]);
    again.store(project.base().join("empty-___concordance.json")).run().mentions("Cached");

    // It contains neither the checkout, nor the store, nor the warehouse, nor the time.
    let other = example("rootfs");
    other.build(&[]);
    let there = print(&other, "//:concordance", "f.json");
    assert_eq!(there["formula"], document["formula"]);
    other.edit("texts/river.txt", "stones", "sand");
    other.build(&[]);
    let changed = print(&other, "//:concordance", "f.json");
    let differing: Vec<&String> = inputs
        .iter()
        .filter(|(path, ware)| changed["formula"]["inputs"][path] != **ware)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(differing, ["/work"]);
}

#[test]
fn every_user_gets_the_same_result() {
    if !has_busybox("every_user_gets_the_same_result") {
        return;
    }
    if !is_root() {
        return skip("every_user_gets_the_same_result", "needs root to run as another user");
    }
    let project = example("rootfs");
    project.build(&[]);
    let mine = print(&project, "//:concordance", "f.json");
    let record = replay(&project, "f.json");
    let wake = copy_of_binary(project.base());
    let mut chown = Command::new("chown");
    assert!(chown.args(["-R", "65534:65534"]).arg(project.base()).status().unwrap().success());
    let theirs = |args: &[&str]| {
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        project.wake(args).program(&wake).wrapper(user)
    };
    let printed =
        theirs(&["plan", "--format", "formula", "--warehouse", "warehouse", "//:concordance"]);
    let printed: Value = serde_json::from_str(&printed.run().success().stdout).unwrap();
    assert_eq!(printed, mine);
    let store = project.base().join("another-store");
    let ran = theirs(&["formula", "run", "f.json"]).store(store).run();
    if ran.code != 0 && ran.stderr.contains("layered file systems") {
        return skip(
            "every_user_gets_the_same_result",
            "this kernel does not support layers without root",
        );
    }
    let again: Value = serde_json::from_str(&ran.success().stdout).unwrap();
    assert_eq!(again["results"], record["results"]);
}

const PROBE: &str = "#!/bin/sh
set -eu
{
    env | sort
    echo \"$@\"
    cat
    id; pwd; umask; cat /proc/sys/kernel/hostname; ulimit -n
    ls -A . src .wake/modules/*/*
    ls / | grep -v '^\\.'
    ls /usr/local $HOME
    cat src/* .wake/modules/*/src/*
    for place in /tmp $HOME . src; do echo x > $place/x; echo y > $place/new; done 2>&1
    for place in / /usr /etc .wake .wake/modules/*/src; do echo x > $place/x && echo wrote $place; done 2> errors || true
    cut -d: -f2- /proc/net/dev | grep -c . || true
} > out.txt
";

#[test]
fn a_replayed_command_sees_the_same_files() {
    for config in ["null", "{ b: [1, 'é'], a: wake.ref('./src/a') }"] {
        let project = project()
            .pkg("files=['./probe.sh', wake.dir('src')], modules={ probe: './probe.libsonnet', dep: './dep.libsonnet' }")
            .script("probe.sh", PROBE)
            .file("src/a", "one\n")
            .module("dep.libsonnet", "dep", "outputs=function(wake, pkg) { src: './src/' }")
            .module(
                "probe.libsonnet",
                "probe",
                &format!(
                    "modules={{ dep: pkg.modules.dep({{}}) }},
    outputs=function(wake, pkg) {{ text: './out.txt', errors: './errors' }},
    exec=wake.exec('./probe.sh', config={config}, env={{ LEVEL: 3, LIST: ['a b', '\"c'] }},
      args=['x y', '', '$HOME', wake.ref('module.dep.output.src')]),"
                ),
            )
            .build();
        project.build(&[]);
        let document = print(&project, ":probe", "f.json");
        assert_eq!(document["formula"]["inputs"].get("/.wake").is_some(), config != "null");
        let record = replay(&project, "f.json");
        let seen = packed(&project, "//:probe", "out.txt");
        assert_eq!(
            record["results"]["/work/out.txt"],
            seen,
            "{}",
            project.result_text("//:probe", "out.txt")
        );
    }
}

#[track_caller]
fn refused(project: &Project, args: &[&str], code: i32, expected: Expect) -> Finished {
    let finished = project.wake(["plan"]).args(args).run().code(code);
    assert_eq!(finished.stdout, "");
    finished.says(expected)
}

#[test]
fn unsupported_modules_are_reported() {
    let formula = ["--format", "formula"];
    let two = project()
        .pkg("modules={ a: './m.libsonnet', b: './n.libsonnet' }, files=['./step.sh']")
        .script("step.sh", "#!/bin/sh\ntouch out.txt\n")
        .module("m.libsonnet", "a", "outputs=function(wake, pkg) { o: './out.txt' }, exec=wake.exec('./step.sh')")
        .module("n.libsonnet", "b", "modules={ a: pkg.modules.a({}) }, exec=wake.exec('./step.sh', args=[wake.ref('module.a.output.o')])")
        .build();
    refused(
        &two,
        &formula,
        2,
        expect![[r#"
        error: `.` names 2 modules, but one is needed
         help: //:a, //:b
    "#]],
    );
    refused(
        &two,
        &["--format", "formula", ":a", ":b"],
        2,
        expect![[r#"
        error: a formula covers exactly one module: name one target
    "#]],
    );
    refused(
        &two,
        &["--format", "formula", ":b"],
        1,
        expect![[r#"
        error: //:b needs //:a, which has not been built in its current state
         help: build it first: `wake build //:b`
    "#]],
    );
    refused(
        &two,
        &["--warehouse", "w", ":a"],
        2,
        expect![[r#"
        error: `--warehouse` requires `--format formula`
    "#]],
    );
    two.build(&[]);
    // In the checkout's own state if no directory is named.
    two.wake(["plan", "--format", "formula", ":b"]).run().success();
    assert!(two.path(".wake/warehouse").is_dir());

    let network = project().step_with("m", "touch out.txt", "network=true").build();
    refused(
        &network,
        &formula,
        5,
        expect![[r#"
        error: //:m cannot be written as a formula: its command uses the network, which a repeatr formula cannot request
    "#]],
    );
    let empty = project().step_with("m", "", "config={ a: 1 }, rootfs=wake.EMPTY").build();
    refused(
        &empty,
        &formula,
        5,
        expect![[r#"
        error: //:m cannot be written as a formula: its command reads its `config` from standard input, which a formula can provide only through `/bin/sh`, but its root file system has none
         help: pass values as arguments, or in a file made with `wake.file(…, dump=true)`
    "#]],
    );
    let collects = project()
        .pkg("modules={ m: './m.libsonnet' }, files=['./a']")
        .file("a", "")
        .module("m.libsonnet", "m", "outputs=function(wake, pkg) { o: './a' }")
        .build();
    refused(
        &collects,
        &formula,
        2,
        expect![[r#"
        error: //:m does not run a command: it only collects files
    "#]],
    );
}
