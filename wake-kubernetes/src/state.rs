//! The state of a job as reported by a cluster, and the containers that write its log.

use crate::answer::{Condition, List, Object, Terminated};
use crate::container::MAIN;
use crate::labels::{INDEX, Role};
use crate::streams::BUFFERS;

/// A job as reported by a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesJob {
    /// Its state.
    pub state: KubernetesState,
    /// Its pods, and those of its workers.
    pub pods: Vec<KubernetesPod>,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesState {
    /// Its command has not started.
    Waiting {
        /// The cluster's reason.
        reason: Option<String>,
    },
    /// Its command runs.
    Running {
        /// What is wrong, if anything.
        trouble: Option<String>,
    },
    /// It has ended.
    Ended(KubernetesEnd),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubernetesEnd {
    /// All of its commands exited with 0.
    Succeeded,
    /// It exceeded its deadline.
    TimedOut,
    /// It cannot continue, because a pod was deleted or its buffers cannot be transferred; the cluster has not ended it, or does not report so yet.
    Stuck(String),
    /// It failed, for this reason.
    Failed(String),
    /// The object no longer exists.
    Gone,
}

/// A pod of a job or of its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesPod {
    /// Its name in the cluster.
    pub name: String,
    /// The part of the run that it belongs to.
    pub role: Role,
    /// Its name for people: `job-0`, `worker-1`.
    pub label: String,
    /// How often its container was restarted.
    pub restarts: u32,
    /// Whether its container has started, so that there is a log.
    pub has_begun: bool,
    /// Whether its container has ended, so that the log is final.
    pub has_ended: bool,
    /// Whether its node is not responding.
    pub is_out_of_reach: bool,
}

/// Derives the state of a job from its objects.
pub(crate) fn job(list: &List) -> KubernetesJob {
    let is_pod = |object: &&Object| object.kind == "Pod";
    let of_job = |pod: &&Object| pod.is_of(Role::Job.as_str());
    let pods: Vec<&Object> = list.items.iter().filter(is_pod).filter(of_job).collect();
    let job = list.items.iter().find(|object| object.kind == "Job");
    let state = match job {
        None => KubernetesState::Ended(KubernetesEnd::Gone),
        Some(job) if job.metadata.deletion_timestamp.is_some() => {
            KubernetesState::Ended(KubernetesEnd::Gone)
        }
        Some(job) => state(job, &pods),
    };
    KubernetesJob { state, pods: list.items.iter().filter(is_pod).map(pod).collect() }
}

fn state(job: &Object, pods: &[&Object]) -> KubernetesState {
    if job.condition("Complete").is_some() {
        return KubernetesState::Ended(KubernetesEnd::Succeeded);
    }
    if let Some(failed) = job.condition("Failed") {
        let end = match failed.reason.as_str() {
            "DeadlineExceeded" => KubernetesEnd::TimedOut,
            _ => KubernetesEnd::Failed(why(failed, pods)),
        };
        return KubernetesState::Ended(end);
    }
    // The outcome is decided, and the pods are being terminated.
    if job.condition("FailureTarget").is_some() {
        return KubernetesState::Running { trouble: None };
    }
    if let Some(reason) = pods.iter().find_map(|pod| unserved(pod)) {
        return KubernetesState::Ended(KubernetesEnd::Stuck(reason));
    }
    if let Some(pod) = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_some()) {
        let reason = taken(pod).unwrap_or_else(|| match pod.is_out_of_reach() {
            true => format!("node {} stopped responding", pod.node()),
            false => format!("the pod on {} was deleted", pod.node()),
        });
        return KubernetesState::Ended(KubernetesEnd::Stuck(reason));
    }
    let has_begun = |pod: &&&Object| {
        pod.container(MAIN)
            .is_some_and(|main| main.state.running.is_some() || main.state.terminated.is_some())
    };
    if pods.iter().any(|pod| has_begun(&pod)) {
        let away = pods.iter().find(|pod| pod.is_out_of_reach());
        let trouble = away.map(|pod| format!("node {} is not responding", pod.node()));
        return KubernetesState::Running { trouble };
    }
    KubernetesState::Waiting { reason: pods.iter().find_map(|pod| what_keeps(pod)) }
}

/// Returns why a pod's command has not started.
fn what_keeps(pod: &Object) -> Option<String> {
    let conditions = &pod.status.conditions;
    let unscheduled = |one: &&Condition| one.kind == "PodScheduled" && one.status == "False";
    if let Some(Condition { reason, message, .. }) = conditions.iter().find(unscheduled) {
        return Some(with(reason, message));
    }
    let waiting = pod.containers().filter_map(|container| container.state.waiting.as_ref());
    let mut reasons: Vec<String> =
        waiting.map(|waiting| with(&waiting.reason, &waiting.message)).collect();
    // The reason of a container that waits for another one is less specific.
    reasons.sort_by_key(|reason| match reason.as_str() {
        "PodInitializing" => 2,
        "ContainerCreating" => 1,
        _ => 0,
    });
    reasons.into_iter().find(|reason| !reason.is_empty())
}

/// Returns why a pod's buffers cannot be transferred: the container that transfers them has ended, which it never does by itself.
fn unserved(pod: &Object) -> Option<String> {
    let buffers = pod.container(BUFFERS)?;
    let ended = buffers.last_state.terminated.as_ref()?;
    (buffers.restart_count > 0).then(|| streams_failed(pod, ended))
}

fn streams_failed(pod: &Object, ended: &Terminated) -> String {
    let last = ended.message.lines().rev().find_map(|line| line.trim().strip_prefix("error: "));
    let why = match last {
        Some(last) => last.to_owned(),
        None => with(&ended.reason, &format!("exit code {}", ended.exit_code)),
    };
    format!("wake could not transfer buffers on {}: {why}", pod.node())
}

/// Returns why a pod was evicted or preempted, if it was.
fn taken(pod: &Object) -> Option<String> {
    let said = match pod.condition("DisruptionTarget") {
        Some(Condition { reason, message, .. }) => with(reason, message),
        None if !pod.status.reason.is_empty() => with(&pod.status.reason, &pod.status.message),
        None => return None,
    };
    Some(format!("ended by Kubernetes on {}: {said}", pod.node()))
}

/// Returns why a job failed.
fn why(failed: &Condition, pods: &[&Object]) -> String {
    if let Some(reason) = pods.iter().find_map(|pod| taken(pod)) {
        return reason;
    }
    let ended = |pod: &Object, name: &str| {
        let container = pod.containers().find(|container| container.name == name)?;
        let ended = container.state.terminated.as_ref()?;
        (ended.exit_code != 0).then(|| main_ended(pod, pods.len(), ended))
    };
    if let Some(reason) = pods.iter().find_map(|pod| ended(pod, MAIN)) {
        return reason;
    }
    let other = |pod: &Object| {
        let all = pod.containers().filter_map(|container| container.state.terminated.as_ref());
        all.into_iter().find(|ended| ended.exit_code != 0).map(|ended| streams_failed(pod, ended))
    };
    if let Some(reason) = pods.iter().find_map(|pod| other(pod)) {
        return reason;
    }
    format!("ended by Kubernetes: {}", with(&failed.reason, &failed.message))
}

/// Describes how the command of one of `many` pods ended.
fn main_ended(pod: &Object, many: usize, ended: &Terminated) -> String {
    let main = match (many, index(pod)) {
        (2.., Some(index)) => format!("Main of replica {index}"),
        _ => "Main".to_owned(),
    };
    match (ended.reason.as_str(), ended.signal) {
        ("OOMKilled", _) => "the job exceeded its memory limit".to_owned(),
        ("StartError" | "ContainerCannotRun", _) => {
            format!("{main} could not be started on {}: {}", pod.node(), ended.message.trim())
        }
        (_, 1..) => format!("{main} was killed by signal {}", ended.signal),
        _ => format!("{main} exited with code {}", ended.exit_code),
    }
}

fn pod(object: &Object) -> KubernetesPod {
    let role = if object.is_of(Role::Worker.as_str()) { Role::Worker } else { Role::Job };
    let main = object.container(MAIN);
    let state = main.map(|main| &main.state);
    let has_ended = state.is_some_and(|state| state.terminated.is_some());
    KubernetesPod {
        name: object.metadata.name.clone(),
        role,
        label: format!("{}-{}", role.as_str(), index(object).unwrap_or("0")),
        restarts: main.map_or(0, |main| main.restart_count),
        has_begun: has_ended || state.is_some_and(|state| state.running.is_some()),
        has_ended,
        is_out_of_reach: object.is_out_of_reach(),
    }
}

/// The index of a pod among the replicas of its part.
fn index(pod: &Object) -> Option<&str> {
    if pod.is_of(Role::Worker.as_str()) {
        return pod.metadata.name.rsplit('-').next();
    }
    pod.metadata.annotations.get(INDEX).map(String::as_str)
}

/// Joins a reason and a message, such as `Evicted: The node had no room`; either may be empty.
pub(crate) fn with(reason: &str, message: &str) -> String {
    let both = [reason.trim(), message.trim()];
    let both: Vec<&str> = both.into_iter().filter(|text| !text.is_empty()).collect();
    both.join(": ")
}
