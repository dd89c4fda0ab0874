//! The recorded status and reason of a job on Slurm, however it ends.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::scene::{ONE_EACH, Scene, json, output, run};

/// Reports that it has started, and then waits.
const WAITS: &str = "echo ready > \"$OUTPUT_PIPE\"; sleep 600 & sleep 600";
const OUTPUT: &str = "{outputs: [output]}";

fn kill(signal: &str, processes: &[u32]) {
    assert!(!processes.is_empty());
    let numbers = processes.iter().map(ToString::to_string);
    assert!(Command::new("kill").arg(signal).args(numbers).status().unwrap().success());
}

#[test]
fn a_job_is_cancelled_while_it_runs_or_waits() {
    let Some(scene) =
        Scene::new("a_job_is_cancelled_while_it_runs_or_waits", &run(OUTPUT, WAITS, ""))
    else {
        return;
    };
    // While it runs, with all of its processes.
    let id = scene.create(&[]);
    scene.until(&id, "Running");
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    assert_eq!(
        (&cancelled["status"], &cancelled["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
    scene.cluster.until("nothing is left", || scene.left() == 0);
    assert_eq!(output(&scene.project, &cancelled)["state"], "failed");

    // While it waits, when only Slurm knows of it.
    scene.set("[slurm]\narguments = [\"--hold\"]\n");
    let id = scene.create(&[]);
    let waits = scene.show(&id);
    assert_eq!(
        (&waits["status"], &waits["statusReason"]),
        (&"Pending".into(), &"waiting in the Slurm queue: JobHeldUser".into())
    );
    let cancelled = json(&scene.job(&["cancel", &id]).run().code(0));
    assert_eq!(
        (&cancelled["status"], &cancelled["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
    // Readers do not wait for an output that will not be written.
    assert_eq!(output(&scene.project, &cancelled)["state"], "failed");
    // It can also be cancelled with Slurm's own command.
    let id = scene.create(&[]);
    let slurm = scene.show(&id)["engine"]["id"].as_str().unwrap().to_owned();
    scene.cluster.ask("scancel", &[&slurm]);
    let cancelled = scene.until(&id, "Canceled");
    assert_eq!(cancelled["statusReason"], "ended by Slurm: CANCELLED");
}

#[test]
fn ctrl_c_in_a_follower_cancels_the_job() {
    let Some(scene) = Scene::new("ctrl_c_in_a_follower_cancels_the_job", &run(OUTPUT, WAITS, ""))
    else {
        return;
    };
    let exec = scene.on_slurm("exec", &[]);
    let mut child = exec.spawn();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    kill("-INT", &[child.id()]);
    let done = exec.finished(child.wait_with_output().unwrap());
    assert_eq!(done.code, 130, "{done}");
    let job = scene.last();
    assert_eq!(
        (&job["status"], &job["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
    scene.cluster.until("nothing is left", || scene.left() == 0);

    // And when the reader of standard output leaves.
    let mut child = scene.on_slurm("exec", &[]).spawn();
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let yes = run(OUTPUT, "yes > \"$OUTPUT_PIPE\"", "");
    kill("-KILL", &[child.id()]);
    child.wait().unwrap();
    scene.project.write("run.yml", yes);
    let mut child = scene.on_slurm("exec", &[]).spawn();
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let ended = scene.last();
    assert_eq!(
        (&ended["status"], &ended["statusReason"]),
        (&"Canceled".into(), &"standard output was closed".into())
    );
}

#[test]
fn a_job_continues_without_its_creator() {
    let script =
        "echo ready > \"$OUTPUT_PIPE\"\nread line < \"$INPUT_PIPE\"\necho over > \"$OUTPUT_PIPE\"";
    let Some(scene) = Scene::new("a_job_continues_without_its_creator", &run(ONE_EACH, script, ""))
    else {
        return;
    };
    let project = &scene.project;
    let id = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    let mut child = scene.on_slurm("run", &["-b", &format!("input={id}")]).spawn();
    scene.cluster.until("it runs", || scene.job(&["list"]).run().stdout.contains("\"Running\""));
    child.kill().unwrap();
    child.wait().unwrap();
    let job = scene.last();
    assert_eq!(job["status"], "Running");
    project.write("line", "go\n");
    project.wake(["buffer", "write", &id, "-i", "line"]).run().code(0);
    let job = scene.until(&job["id"].to_string(), "Succeeded");
    assert_eq!(output(project, &job)["size"], 11);

    // A job that reads the standard input of a killed follower has lost it.
    let exec = scene.on_slurm("exec", &[]);
    let mut child = exec.command().stdin(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let job = scene.until(&scene.last()["id"].to_string(), "Failed");
    let reason = job["statusReason"].as_str().unwrap();
    assert!(reason.contains("without completing it"), "{reason}");
}

#[test]
fn a_job_whose_process_or_node_is_killed_has_failed() {
    let Some(mut scene) =
        Scene::new("a_job_whose_process_or_node_is_killed_has_failed", &run(OUTPUT, WAITS, ""))
    else {
        return;
    };
    let id = scene.create(&[]);
    let job = scene.until(&id, "Running");
    scene.cluster.until("it writes", || output(&scene.project, &job)["state"] == "writing");
    kill("-KILL", &scene.cluster.processes("perform"));
    let failed = scene.until(&id, "Failed");
    let reason = failed["statusReason"].as_str().unwrap();
    assert!(reason.starts_with("ended by Slurm on n"), "{reason}");
    assert!(reason.ends_with(": FAILED (signal 9)"), "{reason}");
    assert_eq!(output(&scene.project, &failed)["state"], "broken off");
    // The status is final.
    assert_eq!(scene.show(&id), failed);

    // A node that goes down takes everything that runs there with it.
    let id = scene.create(&[]);
    scene.until(&id, "Running");
    let slurm = scene.show(&id)["engine"]["id"].as_str().unwrap().to_owned();
    let node = scene.cluster.ask("squeue", &["-h", "-j", &slurm, "-o", "%N"]).trim().to_owned();
    scene.cluster.kill_node(&node);
    kill("-KILL", &scene.cluster.steps());
    // By itself, Slurm would notice only after minutes.
    let name = format!("NodeName={node}");
    scene.cluster.ask("scontrol", &["update", &name, "State=DOWN", "Reason=gone"]);
    let failed = scene.until(&id, "Failed");
    assert_eq!(failed["statusReason"], format!("ended by Slurm on {node}: NODE_FAIL (NodeDown)"));
}

#[test]
fn an_unreachable_controller_is_reported_and_waited_for() {
    let Some(mut scene) =
        Scene::new("an_unreachable_controller_is_reported_and_waited_for", &run(OUTPUT, WAITS, ""))
    else {
        return;
    };
    let runs = scene.create(&[]);
    scene.until(&runs, "Running");
    scene.set("[slurm]\narguments = [\"--hold\"]\n");
    let waits = scene.create(&[]);
    scene.cluster.end_controller();
    // The status that its process records needs no controller.
    assert_eq!(scene.show(&runs)["status"], "Running");
    let shown = scene.show(&waits);
    assert_eq!(shown["status"], "Pending");
    let reason = shown["statusReason"].as_str().unwrap();
    assert!(reason.starts_with("Slurm is not responding: "), "{reason}");
    let refused = scene.on_slurm("create", &[]).run().code(10).stderr;
    assert!(refused.contains("Slurm is not responding: "), "{refused}");
    assert_eq!(scene.last()["statusReason"], "could not be submitted to Slurm");
    // A running job can be cancelled without a controller, too.
    let cancelled = json(&scene.job(&["cancel", &runs]).run().code(0));
    assert_eq!(cancelled["status"], "Canceled");
    scene.cluster.begin_controller();
    let reason = "waiting in the Slurm queue: JobHeldUser";
    scene.cluster.until("it answers again", || scene.show(&waits)["statusReason"] == reason);
}
