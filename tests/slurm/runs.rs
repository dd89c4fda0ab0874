//! A job on a node has the same results as here.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use wake_tests::project;

use crate::scene::{ONE_EACH, Scene, buffer, fed, json, output, run};

#[test]
fn the_same_codespec_gives_the_same_output_here_and_on_slurm() {
    let script = "sed s/o/0/g < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\necho did it >&2";
    let text = run(ONE_EACH, script, "");
    let Some(mut scene) =
        Scene::new("the_same_codespec_gives_the_same_output_here_and_on_slurm", &text)
    else {
        return;
    };
    // Another store, so that no results are shared.
    let here = project().file("run.yml", &text).build();
    let bytes = b"foo\n".repeat(3 << 20);
    let input = format!("input={}", buffer(&here, &bytes));
    let local = here.wake(["job", "run", "--rootfs", "host", "-f", "run.yml", "-b", &input]);
    let local = output(&here, &json(&local.run().code(0)));

    let input = format!("input={}", buffer(&scene.project, &bytes));
    let sent = scene.on_slurm("run", &["-b", &input, "--logs"]).run().code(0);
    assert!(sent.stderr.contains("did it\n"), "{}", sent.stderr);
    let job = json(&sent);
    assert_eq!((&job["status"], &job["remembered"]), (&"Succeeded".into(), &false.into()));
    assert_eq!(job["engine"]["name"], "slurm");
    assert_eq!(output(&scene.project, &job)["contentId"], local["contentId"]);
    let id = job["id"].to_string();
    assert_eq!(scene.job(&["logs", &id]).run().code(0).stdout, "did it\n");
    assert!(
        scene.cluster.ask("scontrol", &["show", "job"]).contains(&format!("JobName=wake-{id}"))
    );

    // It is the same action: the node's result is in the cache, and no node is needed.
    scene.cluster.end_controller();
    let again = json(&scene.on_slurm("run", &["-b", &input]).run().code(0));
    assert_eq!((&again["remembered"], &again["engine"]), (&true.into(), &serde_json::Value::Null));
    let exec = scene.on_slurm("exec", &["-b", &input]).run().code(0);
    assert_eq!(exec.stdout.len(), bytes.len());
    assert!(exec.stderr.contains("Cached"), "{}", exec.stderr);
}

#[test]
fn streams_are_passed_on_as_they_arrive() {
    let script = "sed -u s/^/got:/ < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let Some(scene) =
        Scene::new("streams_are_passed_on_as_they_arrive", &run(ONE_EACH, script, ""))
    else {
        return;
    };
    let exec = scene.on_slurm("exec", &[]);
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
    let done = exec.finished(child.wait_with_output().unwrap()).code(0);
    assert!(done.stderr.contains("Pending"), "{}", done.stderr);
    let job = scene.last();
    assert_eq!(job["status"], "Succeeded");
    assert!(job["notRemembered"].as_str().unwrap().contains("is still being written"));
    // The temporary buffers have been removed.
    assert_eq!(scene.project.wake(["buffer", "list"]).run().code(0).stdout.trim(), "[]");
}

#[test]
fn large_and_unopened_streams_end_as_they_do_here() {
    let Some(scene) = Scene::new(
        "large_and_unopened_streams_end_as_they_do_here",
        &run(ONE_EACH, "cat < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"", ""),
    ) else {
        return;
    };
    let input: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    let command = scene.on_slurm("exec", &[]);
    let mut child = command.command().stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn({
        let input = input.clone();
        move || stdin.write_all(&input).unwrap()
    });
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(done.status.success() && done.stdout == input);

    scene.project.write("run.yml", run(ONE_EACH, "echo hello", ""));
    assert_eq!(fed(&scene.on_slurm("exec", &[]), b"unwanted").code(0).stdout, "");
    scene.project.write("run.yml", run(ONE_EACH, "echo part > \"$OUTPUT_PIPE\"; exit 3", ""));
    let failed = fed(&scene.on_slurm("exec", &[]), b"").code(1);
    assert!(failed.stderr.contains("Main exited with code 3"), "{}", failed.stderr);
    assert_eq!(failed.stdout, "part\n");
}

#[test]
fn resources_of_a_codespec_are_requested_from_slurm() {
    let resources = "    resources: {requests: {cpu: 1500m}, limits: {memory: 256Mi}}\n  nodePool: second\ntimeoutSeconds: 300\n";
    let text = run("{outputs: [output]}", "echo done > \"$OUTPUT_PIPE\"", resources);
    let Some(scene) = Scene::new("resources_of_a_codespec_are_requested_from_slurm", &text) else {
        return;
    };
    scene.set("[slurm]\npartition = \"main\"\naccount = \"lab\"\narguments = [\"--nice=7\"]\n");
    let id = scene.create(&[]);
    scene.until(&id, "Succeeded");
    let shown = scene.cluster.ask("scontrol", &["-o", "show", "job"]);
    for wanted in [
        "CPUs/Task=2 ",
        // Including wake's own.
        "MinMemoryNode=384M ",
        "TimeLimit=00:06:00 ",
        // The run's setting takes precedence over the user's.
        "Partition=second ",
        "Account=lab ",
        "Nice=7 ",
        "Requeue=0 ",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
}
