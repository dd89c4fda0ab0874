//! Replicas that run independently, each on any node.

use std::io::Read;

use serde_json::Value;
use wake_tests::project;

use crate::scene::{ONE_EACH, Scene, buffer, json, output, run};

/// A run of `count` replicas, each of which occupies a node of two CPUs.
fn replicated(script: &str, count: u32) -> String {
    let rest = format!("    resources: {{requests: {{cpu: 2}}}}\n  replicas: {count}\n");
    run(ONE_EACH, script, &rest)
}

/// A script that waits for a line of the input; then only this replica does something.
fn one_does(replica: u32, script: &str) -> String {
    format!(
        "read line < \"$INPUT_PIPE\"\ncase $(uname -n) in job-{replica}) {script} ;; *) sleep 600 & sleep 600 ;; esac"
    )
}

/// An unwritten buffer, and the argument that makes it the input.
fn unwritten(scene: &Scene) -> (String, String) {
    let id = scene.project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    let named = format!("input={id}");
    (id, named)
}

fn write(scene: &Scene, id: &str, bytes: &[u8]) {
    scene.project.write("line", bytes);
    scene.project.wake(["buffer", "write", id, "-i", "line"]).run().code(0);
}

/// Creates a job whose replicas wait for their input, waits until `running` of them run, and returns its number and its input.
fn begun(scene: &Scene, running: usize) -> (String, String) {
    let (input, named) = unwritten(scene);
    let id = scene.create(&["-b", &named]);
    let run =
        || of_replicas(&scene.show(&id), "status").iter().filter(|s| **s == "Running").count();
    scene.cluster.until(&format!("{running} replicas run"), || run() == running);
    (id, input)
}

/// The value of `key` for each replica.
fn of_replicas(job: &Value, key: &str) -> Vec<Value> {
    job["replicas"].as_array().unwrap().iter().map(|one| one[key].clone()).collect()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[track_caller]
fn ended_as(job: &Value, status: &str, reason: &str) {
    let said = (job["status"].as_str().unwrap(), job["statusReason"].as_str().unwrap_or_default());
    assert_eq!(said, (status, reason), "{job}");
}

#[test]
fn replicas_on_two_nodes_have_the_same_results_as_here() {
    let script = "\
case $(uname -n) in
job-1) sed s/o/0/g < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\" ;;
*) wc -c < \"$INPUT_PIPE\"; : > \"$OUTPUT_PIPE\" ;;
esac";
    let text = replicated(script, 2);
    let test = "replicas_on_two_nodes_have_the_same_results_as_here";
    let Some(mut scene) = Scene::new(test, &text) else { return };
    let bytes = b"foo\n".repeat(3 << 19);
    let here = project().file("run.yml", &text).build();
    let input = format!("input={}", buffer(&here, &bytes));
    let local = here.wake(["job", "run", "--rootfs", "host", "-f", "run.yml", "-b", &input]);
    let local = json(&local.run().code(0));
    let log = here.wake(["job", "logs", &local["id"].to_string()]).run().code(0).stdout;

    let (id, input) = begun(&scene, 2);
    let mut nodes = of_replicas(&scene.show(&id), "node");
    nodes.sort_by_key(|node| node.as_str().unwrap().to_owned());
    assert_eq!(nodes, ["n1", "n2"]);
    let shown = scene.cluster.ask("scontrol", &["-o", "show", "job"]);
    assert_eq!(
        (shown.matches("CPUs/Task=2 ").count(), shown.matches("ArrayTaskId=").count()),
        (2, 2)
    );
    write(&scene, &input, &bytes);
    let job = scene.until(&id, "Succeeded");
    assert_eq!(output(&scene.project, &job)["contentId"], output(&here, &local)["contentId"]);
    assert_eq!(output(&scene.project, &job)["state"], "complete");
    assert_eq!(of_replicas(&job, "status"), ["Succeeded", "Succeeded"]);
    let told = scene.job(&["logs", &id]).run().code(0).stdout;
    assert_eq!(sorted(&told), sorted(&log));
    assert_eq!(told, format!("[job-0] {}\n", bytes.len()));

    // Its input was not complete when it started. With a complete input, the last replica remembers the job, under the same key as here.
    let named = format!("input={input}");
    let first = json(&scene.on_slurm("run", &["-b", &named]).run().code(0));
    assert_eq!((&first["remembered"], &first["notRemembered"]), (&false.into(), &Value::Null));
    scene.cluster.end_controller();
    for engine in ["slurm", "here"] {
        let args = ["run", "--engine", engine, "--rootfs", "host", "-f", "run.yml", "-b", &named];
        let again = json(&scene.job(&args).run().code(0));
        assert_eq!(again["remembered"], true);
        let kept = output(&scene.project, &again);
        assert_eq!(kept["contentId"], output(&here, &local)["contentId"]);
    }
}

#[test]
fn more_replicas_than_nodes_run_one_after_another() {
    // An output that no replica has written is empty.
    let script =
        "case $(uname -n) in job-2) echo out > \"$OUTPUT_PIPE\" ;; esac\ncat \"$INPUT_PIPE\"\necho";
    let test = "more_replicas_than_nodes_run_one_after_another";
    let Some(scene) = Scene::new(test, &replicated(script, 4)) else { return };
    let input = format!("input={}", buffer(&scene.project, b"bytes"));
    let done = scene.on_slurm("exec", &["-b", &input, "--logs"]).run().code(0);
    assert_eq!(done.stdout, "out\n");
    let lines = done.stderr.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>();
    assert_eq!(
        sorted(&lines.join("\n")),
        ["[job-0] bytes", "[job-1] bytes", "[job-2] bytes", "[job-3] bytes"]
    );
    // The temporary buffer has been removed.
    let left = json(&scene.project.wake(["buffer", "list"]).run().code(0));
    assert_eq!(left.as_array().unwrap().len(), 1);
    scene.project.write("run.yml", replicated("true", 2));
    let job = json(&scene.on_slurm("run", &["-b", &input]).run().code(0));
    let empty = output(&scene.project, &job);
    assert_eq!((&empty["state"], &empty["size"]), (&"complete".into(), &0.into()));
}

#[test]
fn the_first_failed_replica_ends_all() {
    let test = "the_first_failed_replica_ends_all";
    let text = replicated(&one_does(1, "echo part > \"$OUTPUT_PIPE\"; exit 3"), 3);
    let Some(scene) = Scene::new(test, &text) else { return };
    let (id, input) = begun(&scene, 2);
    let waits = "1 of 3 replicas waiting in the Slurm queue: Resources";
    scene.cluster.until("one waits", || scene.show(&id)["statusReason"] == waits);
    write(&scene, &input, b"go\n");
    let job = scene.until(&id, "Failed");
    ended_as(&job, "Failed", "Main of replica 1 exited with code 3");
    assert_eq!(of_replicas(&job, "status"), ["Canceled", "Failed", "Canceled"]);
    assert_eq!(
        of_replicas(&job, "statusReason"),
        [
            "another replica did not succeed",
            "Main of replica 1 exited with code 3",
            "the job ended before this replica started"
        ]
    );
    assert_eq!(output(&scene.project, &job)["state"], "failed");
    scene.cluster.until("nothing is left", || {
        scene.left() == 0 && scene.cluster.ask("squeue", &["--noheader"]).is_empty()
    });
    assert_eq!(scene.show(&id), job);
}

#[test]
fn an_output_that_two_replicas_write_is_an_error() {
    let test = "an_output_that_two_replicas_write_is_an_error";
    let text = replicated("uname -n > \"$OUTPUT_PIPE\"; cat \"$INPUT_PIPE\"", 2);
    let Some(scene) = Scene::new(test, &text) else { return };
    let input = format!("input={}", buffer(&scene.project, b"x"));
    let job = json(&scene.on_slurm("run", &["-b", &input]).run().code(1));
    let told = |second: u32, first: u32| {
        format!(
            "the output `output` cannot be overwritten: replica {second} writes to it after replica {first}"
        )
    };
    let reason = job["statusReason"].as_str().unwrap();
    assert!(reason == told(0, 1) || reason == told(1, 0), "{reason}");
    assert_eq!(job["status"], "Failed");
    assert_eq!(output(&scene.project, &job)["state"], "failed");
}

#[test]
fn all_replicas_are_cancelled_with_or_without_a_controller() {
    let test = "all_replicas_are_cancelled_with_or_without_a_controller";
    let Some(mut scene) = Scene::new(test, &replicated(&one_does(9, ""), 3)) else { return };
    let (id, _) = begun(&scene, 2);
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    ended_as(&cancelled, "Canceled", "Canceled by user");
    assert_eq!(of_replicas(&cancelled, "status"), ["Canceled", "Canceled", "Canceled"]);
    assert_eq!(output(&scene.project, &cancelled)["state"], "failed");
    scene.cluster.until("nothing is left", || {
        scene.left() == 0 && scene.cluster.ask("squeue", &["--noheader"]).is_empty()
    });

    // While all of them wait, only Slurm knows of them.
    scene.set("[slurm]\narguments = [\"--hold\"]\n");
    let id = scene.create(&["-b", &unwritten(&scene).1]);
    ended_as(&scene.show(&id), "Pending", "waiting in the Slurm queue: JobHeldUser");
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    ended_as(&cancelled, "Canceled", "Canceled by user");
    // The number does not matter. Temporary buffers are removed with the job.
    scene.project.write("run.yml", replicated("true", 300));
    let (_, named) = unwritten(&scene);
    let buffers = || scene.project.wake(["buffer", "list"]).run().code(0).stdout;
    let before = buffers();
    let id = scene.create(&["-b", &named, "-b", "output=_"]);
    assert_ne!(buffers(), before);
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    assert_eq!(of_replicas(&cancelled, "status"), vec!["Canceled"; 300]);
    assert_eq!(buffers(), before);
    scene.project.write("run.yml", replicated(&one_does(9, ""), 3));
    // One of them can be cancelled with Slurm's own command.
    let id = scene.create(&["-b", &unwritten(&scene).1]);
    let slurm = scene.show(&id)["engine"]["id"].as_str().unwrap().to_owned();
    scene.cluster.ask("scancel", &[&format!("{slurm}_1")]);
    let job = scene.until(&id, "Canceled");
    ended_as(&job, "Canceled", "Replica 1: removed from the Slurm queue before it started");

    scene.set("");
    let (id, _) = begun(&scene, 2);
    scene.cluster.end_controller();
    // The status that processes record needs no controller.
    let shown = scene.show(&id);
    assert_eq!(shown["status"], "Running");
    assert!(shown["statusReason"].as_str().unwrap().starts_with("Slurm is not responding: "));
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    ended_as(&cancelled, "Canceled", "Canceled by user");
    scene.cluster.until("nothing is left", || scene.left() == 0);
    // The replica that has waited starts, and finds that the job has ended.
    scene.cluster.begin_controller();
    scene.cluster.until("the queue is empty", || {
        scene.cluster.nodes_in("idle") == 2
            && scene.cluster.ask("squeue", &["--noheader"]).is_empty()
    });
    assert_eq!(scene.show(&id), cancelled);
}

#[test]
fn a_replica_whose_process_or_node_is_killed_has_failed_with_all_others() {
    let test = "a_replica_whose_process_or_node_is_killed_has_failed_with_all_others";
    let text = replicated(&one_does(9, ""), 2);
    let Some(mut scene) = Scene::new(test, &text) else { return };
    let kill = |processes: &[u32]| {
        let numbers = processes.iter().map(ToString::to_string);
        let mut command = std::process::Command::new("kill");
        assert!(command.arg("-KILL").args(numbers).status().unwrap().success());
    };
    let (id, _) = begun(&scene, 2);
    let node = scene.show(&id)["replicas"][1]["node"].as_str().unwrap().to_owned();
    kill(&scene.cluster.processes(&node));
    let job = scene.until(&id, "Failed");
    ended_as(&job, "Failed", &format!("Replica 1: ended by Slurm on {node}: FAILED (signal 9)"));
    assert_eq!(of_replicas(&job, "status"), ["Canceled", "Failed"]);
    scene.cluster.until("nothing is left", || scene.left() == 0);
    scene.cluster.until("both nodes are idle", || scene.cluster.nodes_in("idle") == 2);

    let (id, _) = begun(&scene, 2);
    let node = scene.show(&id)["replicas"][1]["node"].as_str().unwrap().to_owned();
    scene.cluster.kill_node(&node);
    kill(&scene.cluster.steps_with(&node));
    let name = format!("NodeName={node}");
    scene.cluster.ask("scontrol", &["update", &name, "State=DOWN", "Reason=gone"]);
    let job = scene.until(&id, "Failed");
    ended_as(&job, "Failed", &format!("Replica 1: ended by Slurm on {node}: NODE_FAIL (NodeDown)"));
    assert_eq!(of_replicas(&job, "status"), ["Canceled", "Failed"]);
}

#[test]
fn replicas_continue_without_their_creator_and_end_without_a_reader() {
    let test = "replicas_continue_without_their_creator_and_end_without_a_reader";
    let script = "case $(uname -n) in job-1) cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\" ;; esac";
    let Some(scene) = Scene::new(test, &replicated(script, 2)) else { return };
    let (input, named) = unwritten(&scene);
    let mut child = scene.on_slurm("run", &["-b", &named]).spawn();
    scene.cluster.until("one runs", || scene.last()["status"] == "Running");
    child.kill().unwrap();
    child.wait().unwrap();
    let id = scene.last()["id"].to_string();
    write(&scene, &input, b"go\n");
    let job = scene.until(&id, "Succeeded");
    assert_eq!(output(&scene.project, &job)["size"], 3);

    let script =
        "case $(uname -n) in job-1) yes > \"$OUTPUT_PIPE\" ;; *) sleep 600 & sleep 600 ;; esac";
    scene.project.write("run.yml", replicated(script, 2));
    let mut child = scene.on_slurm("exec", &["-b", &named]).spawn();
    let mut first = [0; 2];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    ended_as(&scene.last(), "Canceled", "standard output was closed");
    scene.cluster.until("nothing is left", || scene.left() == 0);
}

#[test]
fn with_workers_all_replicas_run_on_one_node() {
    let worker = "worker:\n  codespec:\n    image: w\n    command: [sleep, '600']\n";
    let text = run("{}", "uname -n", &format!("  replicas: 2\n{worker}"));
    let Some(scene) = Scene::new("with_workers_all_replicas_run_on_one_node", &text) else {
        return;
    };
    let job = json(&scene.on_slurm("run", &[]).run().code(0));
    assert_eq!((&job["status"], &job["replicas"]), (&"Succeeded".into(), &Value::Null));
    let log = scene.job(&["logs", &job["id"].to_string()]).run().code(0).stdout;
    assert_eq!(sorted(&log), ["[job-0] job-0", "[job-1] job-1"]);
    assert!(!scene.cluster.ask("scontrol", &["-o", "show", "job"]).contains("ArrayTaskId="));
}
