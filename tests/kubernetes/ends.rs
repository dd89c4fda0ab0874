//! The recorded status and reason of a job in a cluster, however it ends.

use serde_json::{Value, json};
use wake_tests::project;

use crate::scene::{Runs, Scene, output, run};

const NOTHING: &str = "{}";

/// A failed job, in Kubernetes' words.
fn failed(reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": message}], "failed": 1})
}

fn over() -> Value {
    failed("BackoffLimitExceeded", "Job has reached the specified backoff limit")
}

fn active() -> Value {
    json!({"active": 1, "startTime": "2026-12-01T10:45:10Z"})
}

/// A pod whose main container is in this state.
fn pod(phase: &str, state: &Value) -> Value {
    let main = json!({"name": "main", "restartCount": 0, "state": state, "lastState": {}});
    json!({
        "spec": {"nodeName": "n1"},
        "status": {"phase": phase, "containerStatuses": [main]},
    })
}

fn ended(code: i32, reason: &str, message: &str) -> Value {
    pod("Failed", &json!({"terminated": {"exitCode": code, "reason": reason, "message": message}}))
}

fn waits(reason: &str, message: &str) -> Value {
    pod("Pending", &json!({"waiting": {"reason": reason, "message": message}}))
}

fn runs() -> Value {
    pod("Running", &json!({"running": {"startedAt": "2026-12-01T10:45:12Z"}}))
}

fn with(mut pod: Value, key: &str, value: Value) -> Value {
    pod["status"][key] = value;
    pod
}

fn deleted(mut pod: Value) -> Value {
    pod["metadata"] = json!({"deletionTimestamp": "2026-12-01T10:47:35Z"});
    pod
}

/// The conditions of a pod whose node has stopped responding.
fn unheard() -> Value {
    json!([{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"}])
}

/// Two replicas, the second of which has failed.
fn several() -> [Value; 2] {
    let called = |index: &str, mut pod: Value| {
        let annotations = json!({"batch.kubernetes.io/job-completion-index": index});
        pod["metadata"] = json!({"name": format!("replica-{index}"), "annotations": annotations});
        pod
    };
    [called("0", runs()), called("1", ended(4, "Error", ""))]
}

fn row(job: &Value, pods: &[Value]) -> Value {
    json!({"job": job, "pods": pods})
}

/// The expected status and reason of a job.
type Known = (&'static str, Option<&'static str>);

/// Jobs that have not ended, in the words of Kubernetes 1.20.
fn going() -> Vec<(Value, Known)> {
    let unscheduled = json!([{
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }]);
    let nowhere = json!({"status": {"phase": "Pending", "conditions": unscheduled}});
    vec![
        (
            row(&active(), &[nowhere]),
            (
                "Pending",
                Some(
                    "waiting in Kubernetes: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.",
                ),
            ),
        ),
        (
            row(
                &active(),
                &[waits(
                    "ImagePullBackOff",
                    "Back-off pulling image \"registry.example.org/some\"",
                )],
            ),
            (
                "Pending",
                Some(
                    "waiting in Kubernetes: ImagePullBackOff: Back-off pulling image \"registry.example.org/some\"",
                ),
            ),
        ),
        (
            row(&active(), &[waits("ContainerCreating", "")]),
            ("Pending", Some("waiting in Kubernetes: ContainerCreating")),
        ),
        (
            row(&active(), &[]),
            (
                "Pending",
                Some(
                    "waiting in Kubernetes: FailedCreate: Error creating: pods \"w-\" is forbidden: exceeded quota: q",
                ),
            ),
        ),
        (row(&active(), &[runs()]), ("Running", None)),
        (
            row(&active(), &[with(runs(), "conditions", unheard())]),
            ("Running", Some("node n1 is not responding")),
        ),
        // The outcome is decided, and the pods are being terminated.
        (
            row(
                &json!({"conditions": [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded"}]}),
                &[deleted(runs())],
            ),
            ("Running", None),
        ),
    ]
}

/// Jobs that have ended, in the words of Kubernetes 1.20 and 1.32.
fn gone() -> Vec<(Value, Known)> {
    let serving = |restarts: u32, state: Value| json!([{"name": "buffers", "restartCount": restarts, "state": {"running": {}}, "lastState": state}]);
    let no_buffer = json!({"terminated": {"exitCode": 4, "reason": "Error", "message": "error: the buffer `b` was not found\n help: x\n"}});
    let made = json!([{"name": "make-pipes", "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": ""}}}]);
    let disrupted = json!([{
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
    }]);
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1});
    let late = failed("DeadlineExceeded", "Job was active longer than specified deadline");
    vec![
        (
            row(&complete, &[pod("Succeeded", &json!({"terminated": {"exitCode": 0}}))]),
            ("Succeeded", None),
        ),
        (row(&late, &[deleted(runs())]), ("Canceled", Some("the job exceeded its timeout"))),
        (row(&over(), &several()), ("Failed", Some("Main of replica 1 exited with code 4"))),
        (row(&over(), &[ended(3, "Error", "oops\n")]), ("Failed", Some("Main exited with code 3"))),
        (
            row(
                &over(),
                &[pod(
                    "Failed",
                    &json!({"terminated": {"exitCode": 137, "signal": 9, "reason": "Error"}}),
                )],
            ),
            ("Failed", Some("Main was killed by signal 9")),
        ),
        (
            row(&over(), &[ended(137, "OOMKilled", "")]),
            ("Failed", Some("the job exceeded its memory limit")),
        ),
        (
            row(
                &over(),
                &[ended(
                    128,
                    "StartError",
                    "exec: \"/bin/nope\": stat /bin/nope: no such file or directory: unknown",
                )],
            ),
            (
                "Failed",
                Some(
                    "Main could not be started on n1: exec: \"/bin/nope\": stat /bin/nope: no such file or directory: unknown",
                ),
            ),
        ),
        (
            row(
                &over(),
                &[with(
                    with(ended(137, "Error", ""), "reason", "Evicted".into()),
                    "message",
                    "The node was low on resource: memory. ".into(),
                )],
            ),
            (
                "Failed",
                Some("ended by Kubernetes on n1: Evicted: The node was low on resource: memory."),
            ),
        ),
        (
            row(&active(), &[deleted(with(runs(), "conditions", disrupted))]),
            (
                "Failed",
                Some(
                    "ended by Kubernetes on n1: DeletionByTaintManager: Taint manager: deleting due to NoExecute taint",
                ),
            ),
        ),
        (
            row(&active(), &[deleted(with(runs(), "conditions", unheard()))]),
            ("Failed", Some("node n1 stopped responding")),
        ),
        (row(&active(), &[deleted(runs())]), ("Failed", Some("the pod on n1 was deleted"))),
        (
            row(&active(), &[with(runs(), "initContainerStatuses", serving(1, no_buffer))]),
            ("Failed", Some("wake could not transfer buffers on n1: the buffer `b` was not found")),
        ),
        (
            row(&over(), &[with(waits("PodInitializing", ""), "initContainerStatuses", made)]),
            ("Failed", Some("wake could not transfer buffers on n1: Error: exit code 1")),
        ),
        (
            row(&over(), &[]),
            (
                "Failed",
                Some(
                    "ended by Kubernetes: BackoffLimitExceeded: Job has reached the specified backoff limit",
                ),
            ),
        ),
        (
            json!({}),
            (
                "Failed",
                Some(
                    "the job's objects are gone from Kubernetes, and its outcome was not recorded",
                ),
            ),
        ),
    ]
}

#[test]
fn a_job_that_has_not_ended_has_kubernetes_reason() {
    let scene = Scene::new(&run(NOTHING, "true", ""), Runs::Nothing);
    scene.warns(&json!([{"kind": "Event", "reason": "FailedCreate", "message": "Error creating: pods \"w-\" is forbidden: exceeded quota: q"}]));
    let rows = going();
    let jobs: Vec<String> = rows.iter().map(|_| scene.create(&[])).collect();
    for (id, (answer, _)) in jobs.iter().zip(&rows) {
        scene.says(id, answer);
    }
    for (id, (_, (status, reason))) in jobs.iter().zip(&rows) {
        scene.until(id, status, *reason);
    }
    // And the same without an attending process.
    for (id, (_, (status, reason))) in jobs.iter().zip(&rows) {
        scene.kill_attending(id);
        scene.until(id, status, *reason);
    }
}

#[test]
fn a_job_that_has_ended_has_kubernetes_reason() {
    let scene = Scene::new(&run(NOTHING, "true", ""), Runs::Nothing);
    let rows = gone();
    let jobs: Vec<String> = rows.iter().map(|_| scene.create(&[])).collect();
    for (at, (id, (answer, _))) in jobs.iter().zip(&rows).enumerate() {
        // For every other job, the command that asks determines the status.
        if at % 2 == 1 {
            scene.kill_attending(id);
        }
        scene.says(id, answer);
    }
    for (id, (_, (status, reason))) in jobs.iter().zip(&rows) {
        let job = scene.until(id, status, *reason);
        // The status is final, and no objects are left.
        assert_eq!(scene.show(id), job);
        scene.until_nothing_is_left(id);
    }
}

#[test]
fn a_timeout_while_waiting_says_what_the_job_waited_for() {
    let scene = Scene::new(&run("{outputs: [output]}", "true", ""), Runs::Nothing);
    let id = scene.create(&[]);
    scene.says(&id, &row(&active(), &[waits("ErrImagePull", "not found")]));
    scene.until(&id, "Pending", Some("waiting in Kubernetes: ErrImagePull: not found"));
    scene.says(&id, &row(&failed("DeadlineExceeded", ""), &[]));
    let reason =
        "the job exceeded its timeout while waiting in Kubernetes: ErrImagePull: not found";
    let job = scene.until(&id, "Canceled", Some(reason));
    let output = output(&scene.project, &job);
    assert_eq!((&output["state"], &output["reason"]), (&"failed".into(), &reason.into()));
}

#[test]
fn a_pod_is_never_replaced() {
    let scene = Scene::new(&run(NOTHING, "true", ""), Runs::Nothing);
    let id = scene.create(&[]);
    let called = |name: &str| {
        let mut pod = runs();
        pod["metadata"] = json!({"name": name});
        row(&active(), &[pod])
    };
    scene.says(&id, &called("first"));
    scene.until(&id, "Running", None);
    scene.says(&id, &called("second"));
    scene.until(&id, "Failed", Some("the pod `first` was deleted"));
    scene.until_nothing_is_left(&id);
}

#[test]
fn a_job_without_its_outputs_here_fails() {
    let scene = Scene::new(&run("{outputs: [output]}", "true", ""), Runs::Nothing);
    let id = scene.create(&[]);
    let output = scene.show(&id)["job"]["buffers"]["output"].as_str().unwrap().to_owned();
    // An output that was not written would be waited for, up to a minute, in case the file system shows it late.
    scene.project.wake(["buffer", "purge", &output]).run().code(0);
    let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    scene.says(&id, &row(&complete, &[]));
    let reason = format!(
        "the job succeeded, but the buffer `{output}` is not complete here: this store is not on the volume that `claim` in `[kubernetes]` of `config.toml` names"
    );
    scene.until(&id, "Failed", Some(&reason));
}

#[test]
fn an_unreachable_cluster_is_reported_and_waited_for() {
    let scene = Scene::new(&run(NOTHING, "true", ""), Runs::Nothing);
    let [attended, left] = [(); 2].map(|()| scene.create(&[]));
    scene.kill_attending(&left);
    for id in [&attended, &left] {
        scene.says(id, &row(&active(), &[runs()]));
        scene.until(id, "Running", None);
    }
    scene.answers(false);
    let away = "Kubernetes is not responding: The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?";
    for id in [&attended, &left] {
        scene.until(id, "Running", Some(away));
    }
    let error = format!(
        "error: {away}\n help: run `kubectl cluster-info` to check; the cluster is the one in `kubectl config current-context` unless the run's `cluster` or `context` in `[kubernetes]` of `config.toml` names another\n"
    );
    let told = scene.in_cluster("create", &[]).run().code(10).stderr;
    assert_eq!(told, error);
    assert_eq!(scene.last()["statusReason"], "could not be submitted to Kubernetes");
    let told = scene.job(&["cancel", &left]).run().code(10).stderr;
    let later = format!(
        " help: run `wake job show {left}` later: the job is cancelled as soon as Kubernetes answers\n"
    );
    assert_eq!(told, error + &later);
    scene.answers(true);
    scene.until(&attended, "Running", None);
    scene.until(&left, "Canceled", Some("Canceled by user"));
}

#[test]
fn a_job_keeps_its_status_without_kubectl() {
    let scene = Scene::new(&run(NOTHING, "true", ""), Runs::Nothing);
    let id = scene.create(&[]);
    scene.kill_attending(&id);
    let nowhere = project().build();
    let show = scene.job(&["show", &id]).env("PATH", nowhere.path("nothing")).run().code(0);
    let job: Value = serde_json::from_str(&show.stdout).unwrap();
    assert_eq!(
        (&job["status"], &job["statusReason"]),
        (&"Pending".into(), &"`kubectl` was not found".into())
    );
}
