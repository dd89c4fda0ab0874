//! Jobs in a cluster: their streams and logs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wake_tests::{copy_tree, has_busybox, is_root, project, skipped};

use crate::scene::{Runs, SITE, Scene, buffer, json, output, run, until};

const ONE_EACH: &str = "{inputs: [input], outputs: [output]}";
const OUTPUT: &str = "{outputs: [output]}";
/// Reports that it has started, and then waits.
const WAITS: &str = "echo ready > \"$OUTPUT_PIPE\"; exec sleep 600";

fn kill(signal: &str, number: u32) {
    assert!(Command::new("kill").args([signal, &number.to_string()]).status().unwrap().success());
}

#[test]
fn buffers_are_transferred_and_nothing_is_left() {
    let script = "tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\necho did $TYGER_RUN_ID >&2";
    let scene = Scene::new(&run(ONE_EACH, script, ""), Runs::Jobs);
    let input = format!("input={}", buffer(&scene.project, Some(b"hello\n")));
    let sent = scene.in_cluster("run", &["-b", &input, "--logs"]).run().code(0);
    let job = json(&sent);
    let id = job["id"].to_string();
    assert!(sent.stderr.contains(&format!("did {id}\n")), "{}", sent.stderr);
    assert_eq!((&job["status"], &job["remembered"]), (&"Succeeded".into(), &false.into()));
    assert_eq!(
        job["notRemembered"],
        "it runs in a cluster, where it can see more than it declares"
    );
    let name = scene.name(&id);
    assert_eq!(job["engine"], json!({"name": "kubernetes", "id": format!("default/{name}@x")}));
    let written = job["job"]["buffers"]["output"].as_str().unwrap();
    assert_eq!(scene.project.wake(["buffer", "read", written]).run().code(0).stdout, "HELLO\n");
    assert_eq!(scene.job(&["logs", &id]).run().code(0).stdout, format!("did {id}\n"));
    scene.until_nothing_is_left(&id);
}

#[test]
fn streams_are_passed_on_as_they_arrive() {
    let script = "sed -u s/^/got:/ < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let scene = Scene::new(&run(ONE_EACH, script, ""), Runs::Jobs);
    let exec = scene.in_cluster("exec", &[]);
    let mut child = exec.command().stdin(Stdio::piped()).spawn().unwrap();
    let (mut input, mut out) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for word in ["one\n", "two\n"] {
        // Each answer arrives although the input has not ended.
        input.write_all(word.as_bytes()).unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, format!("got:{word}"));
    }
    drop(input);
    exec.finished(child.wait_with_output().unwrap()).code(0);
    // The temporary buffers have been removed.
    assert_eq!(scene.project.wake(["buffer", "list"]).run().code(0).stdout.trim(), "[]");
}

#[test]
fn a_failed_command_fails_its_output() {
    let script = "echo why >&2; echo part > \"$OUTPUT_PIPE\"; exit 3";
    let scene = Scene::new(&run(OUTPUT, script, ""), Runs::Jobs);
    let failed = scene.in_cluster("run", &[]).run().code(1);
    let job = json(&failed);
    assert_eq!(
        (&job["status"], &job["statusReason"]),
        (&"Failed".into(), &"Main exited with code 3".into())
    );
    let output = output(&scene.project, &job);
    assert_eq!(
        (&output["state"], &output["reason"]),
        (&"failed".into(), &"the command did not succeed".into())
    );
    let id = job["id"].to_string();
    assert_eq!(scene.job(&["logs", &id]).run().code(0).stdout, "why\n");
}

#[test]
fn cancelling_a_job_ends_everything_that_runs() {
    let scene = Scene::new(&run(OUTPUT, WAITS, ""), Runs::Jobs);
    for is_attended in [true, false] {
        let id = scene.create(&[]);
        scene.until(&id, "Running", None);
        if !is_attended {
            scene.kill_attending(&id);
        }
        let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
        assert_eq!(
            (&cancelled["status"], &cancelled["statusReason"]),
            (&"Canceled".into(), &"Canceled by user".into())
        );
        scene.until_nothing_is_left(&id);
        // Readers do not wait for an output that will not be written.
        let state = output(&scene.project, &cancelled)["state"].clone();
        assert!(["failed", "broken off"].contains(&state.as_str().unwrap()), "{state}");
        scene.job(&["cancel", &id]).run().code(2);
    }
}

#[test]
fn a_job_ends_with_its_follower() {
    let scene = Scene::new(&run(OUTPUT, WAITS, ""), Runs::Jobs);
    let exec = scene.in_cluster("exec", &[]);
    let mut child = exec.spawn();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    kill("-INT", child.id());
    let done = exec.finished(child.wait_with_output().unwrap());
    assert_eq!(done.code, 130, "{done}");
    let job = scene.last();
    assert_eq!(job["statusReason"], "Canceled by user");
    scene.until_nothing_is_left(&job["id"].to_string());

    // And when the reader of standard output leaves.
    scene.project.write("run.yml", run(OUTPUT, "yes > \"$OUTPUT_PIPE\"", ""));
    let mut child = scene.in_cluster("exec", &[]).spawn();
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let job = scene.last();
    assert_eq!(job["status"], "Canceled");
    scene.until_nothing_is_left(&job["id"].to_string());
}

#[test]
fn a_job_continues_without_its_creator_and_attendant() {
    let script =
        "echo begun >&2\nread line < \"$INPUT_PIPE\"\necho $line > \"$OUTPUT_PIPE\"\necho over >&2";
    let scene = Scene::new(&run(ONE_EACH, script, ""), Runs::Jobs);
    let input = buffer(&scene.project, None);
    let mut child = scene.in_cluster("run", &["-b", &format!("input={input}")]).spawn();
    until("it runs", || match scene.job(&["list"]).run().stdout.contains("\"Running\"") {
        true => Ok(()),
        false => Err(String::new()),
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let id = scene.last()["id"].to_string();
    let log = || scene.job(&["logs", &id]).run().code(0).stdout;
    until("it has begun", || if log() == "begun\n" { Ok(()) } else { Err(log()) });
    scene.kill_attending(&id);
    assert_eq!(scene.show(&id)["status"], "Running");
    scene.project.write("line", "go\n");
    scene.project.wake(["buffer", "write", &input, "-i", "line"]).run().code(0);
    let job = scene.until(&id, "Succeeded", None);
    // No part of the log is repeated.
    assert_eq!(log(), "begun\nover\n");
    assert_eq!(output(&scene.project, &job)["size"], 3);
    scene.until_nothing_is_left(&id);
}

#[test]
fn a_job_whose_objects_are_missing_fails() {
    // As if its creator had been killed before it created the objects.
    let scene = Scene::new(&run("{}", "true", ""), Runs::Nothing);
    let id = scene.create(&[]);
    scene.kill_attending(&id);
    let name = scene.name(&id);
    fs::remove_file(scene.place(&format!("objects/job.{name}.json"))).unwrap();
    let reason = "the job's objects are gone from Kubernetes, and its outcome was not recorded";
    scene.until(&id, "Failed", Some(reason));
}

#[test]
fn workers_are_owned_by_their_job_and_deleted_with_it() {
    let worker = format!(
        "worker:\n  codespec: {{image: 'registry.example.org/worker@{}', endpoints: {{a: 7000}}}}\n  replicas: 2\n",
        crate::scene::DIGEST
    );
    let scene = Scene::new(&run("{}", "true", &worker), Runs::Nothing);
    let id = scene.create(&[]);
    let name = scene.name(&id);
    let object = |kind: &str| -> Value {
        let path = scene.place(&format!("objects/{kind}.{name}-worker.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": format!("uid-of-{name}")}]);
    for kind in ["service", "statefulset"] {
        assert_eq!(object(kind)["metadata"]["ownerReferences"], owner, "{kind}");
    }
    scene.job(&["cancel", &id]).run().code(0);
    scene.until_nothing_is_left(&id);

    // If one of them is refused, none is left.
    fs::write(scene.place("refuses-workers"), "").unwrap();
    let told = scene.in_cluster("run", &[]).run().code(10).stderr;
    assert_eq!(
        told,
        "error: Kubernetes refused the request: statefulsets.apps is forbidden: User \"u\" cannot create resource \"statefulsets\"\n"
    );
    let last = scene.last();
    assert_eq!(last["statusReason"], "could not be submitted to Kubernetes");
    scene.until_nothing_is_left(&last["id"].to_string());
}

#[test]
fn a_remembered_job_needs_no_cluster() {
    let test = "a_remembered_job_needs_no_cluster";
    if !is_root() {
        return skipped(test, "who is not root has no user of a number to give");
    }
    if !has_busybox(test) {
        return;
    }
    let project = project()
        .pkg("files=['./busybox'], modules={ base: './base.libsonnet' }")
        .file(
            "base.libsonnet",
            "function(wake, pkg)\n  wake.module('base', pkgFiles=['./busybox'],\n    outputs=function(wake, pkg) { image: './image/' },\n    exec=wake.image(files={ ['/bin/' + name]: './busybox' for name in ['busybox', 'sh'] }, env={ PATH: '/bin' }))\n",
        )
        .build();
    fs::copy("/bin/busybox", project.path("busybox")).unwrap();
    project.build(&["//:base"]);
    let scene = Scene::with(project, Runs::Nothing);
    let layout = scene.project.path("usb/some");
    fs::create_dir_all(layout.parent().unwrap()).unwrap();
    copy_tree(&scene.project.result("base", "image"), &layout);
    let mirror = scene.project.path("usb");
    scene.set(&format!(
        "{SITE}[mirrors]\n\"oci://registry.example.org/\" = \"file://{}\"\n",
        mirror.display()
    ));
    let index: Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let digest = index["manifests"][0]["digest"].as_str().unwrap();
    let text = run(OUTPUT, "echo hello > \"$OUTPUT_PIPE\"", "");
    scene.project.write("run.yml", text.replace(crate::scene::DIGEST, digest));
    // It has not run here, and its image is not here: the cluster runs it.
    let id = scene.create(&[]);
    scene.job(&["cancel", &id]).run().code(0);
    scene.until_nothing_is_left(&id);
    let asked = scene.calls();
    assert!(asked.contains("create"), "{asked}");

    scene.job(&["run", "-f", "run.yml"]).run().code(0);
    let again = json(&scene.in_cluster("run", &[]).run().code(0));
    assert_eq!((&again["status"], &again["remembered"]), (&"Succeeded".into(), &true.into()));
    assert_eq!(again["engine"], Value::Null);
    assert_eq!(scene.in_cluster("exec", &[]).run().code(0).stdout, "hello\n");
    let id = scene.create(&[]);
    let made = scene.until(&id, "Succeeded", None);
    assert_eq!(made["remembered"], true);
    assert_eq!(scene.calls(), asked);
    // With `--rerun` it runs.
    let id = scene.create(&["--rerun"]);
    assert_eq!(scene.show(&id)["engine"]["name"], "kubernetes");
}
