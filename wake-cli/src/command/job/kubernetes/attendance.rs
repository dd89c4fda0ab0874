//! One check of a job in a cluster, with its consequences.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use wake_buffer::{Buffers, State};
use wake_job::jobs::{Jobs, JobsError, OwnJob};
use wake_job::order::passing;
use wake_job::record::{JobRecord, SentJob, Status};
use wake_job::sent::concluded;
use wake_kubernetes::{
    Cluster, KubernetesEnd, KubernetesError, KubernetesId, KubernetesJob, KubernetesPod,
    KubernetesState, Role, Served,
};
use wake_steps::clock::{now, unix_ms};
use wake_store::Store;

use super::super::carry_out::purge;
use super::super::said::Said;
use super::logs::Logs;
use super::submission::{kubectl, served};
use crate::settings::Settings;

/// How long to wait for a cluster to report why a job is stuck.
const WHY: Duration = Duration::from_secs(2);
/// How long outputs completed elsewhere may take to become visible here.
const SEEN: Duration = Duration::from_secs(60);
/// The status reason of a waiting job.
const WAITS: &str = "waiting in Kubernetes";

/// A job in a cluster, with the ownership of its record.
pub(super) struct Attendance<'a> {
    store: &'a Store,
    own: Owned<'a>,
    id: u64,
    sent: &'a SentJob,
    cluster: Cluster,
    served: Served,
    logs: Logs<'a>,
    /// Whether to follow its log.
    follows: Follows,
    /// The pods that have started.
    begun: BTreeSet<String>,
}

/// How the job's record is owned.
enum Owned<'a> {
    /// By the process that attends to the job.
    Lent(&'a OwnJob),
    /// By this process, for one check.
    Taken(OwnJob),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Yes,
    No,
}

impl<'a> Attendance<'a> {
    /// The attendance of a process that attends to the job until it ends.
    pub(super) fn of_process(
        store: &'a Store,
        settings: &Settings,
        own: &'a OwnJob,
        id: u64,
        sent: &'a SentJob,
    ) -> Result<Self, JobsError> {
        Attendance::new(store, settings, Owned::Lent(own), (id, sent), Follows::Yes)
    }

    /// The attendance for a single query; `None` if a process attends to the job.
    pub(super) fn of_moment(
        store: &'a Store,
        settings: &Settings,
        id: u64,
        sent: &'a SentJob,
    ) -> Result<Option<Self>, JobsError> {
        let own = Jobs::new(store).claim(id)?;
        own.map(|own| Attendance::new(store, settings, Owned::Taken(own), (id, sent), Follows::No))
            .transpose()
    }

    fn new(
        store: &'a Store,
        settings: &Settings,
        own: Owned<'a>,
        (id, sent): (u64, &'a SentJob),
        follows: Follows,
    ) -> Result<Self, JobsError> {
        let record = Jobs::new(store).get(id)?;
        let place = sent.id.parse::<KubernetesId>().map_err(|error| JobsError::Damaged {
            path: store.jobs_dir().join(id.to_string()),
            problem: error.to_string(),
        })?;
        let mut kubectl = kubectl(settings, None);
        kubectl.context = place.context;
        kubectl.namespace = place.namespace;
        let has_several = record.replicas > 1 || record.worker.is_some();
        let logs = Logs::new(store, (own.get(), id), kubectl.clone(), has_several)?;
        let (cluster, served) = (Cluster::new(kubectl, place.name), served(&record));
        let begun = BTreeSet::new();
        Ok(Attendance { store, own, id, sent, cluster, served, logs, follows, begun })
    }

    /// Checks the job, and records its status and log. Deletes the objects of a job that has ended.
    pub(super) fn step(&mut self) -> Result<Said, JobsError> {
        let job = match self.cluster.look() {
            Ok(job) => job,
            Err(error) => return self.unsaid(&error),
        };
        match (&job.state, self.own.get().why_cancelled()) {
            (KubernetesState::Ended(KubernetesEnd::Stuck(_)), None) => {
                thread::sleep(WHY);
                match self.cluster.look() {
                    Ok(job) => self.heard(&job),
                    Err(error) => self.unsaid(&error),
                }
            }
            (
                KubernetesState::Ended(
                    KubernetesEnd::Succeeded | KubernetesEnd::TimedOut | KubernetesEnd::Failed(_),
                ),
                _,
            )
            | (_, None) => self.heard(&job),
            (_, Some(why)) => self.cancelled(&job, &why),
        }
    }

    /// Whether the log shows that something has ended.
    pub(super) fn has_news(&self) -> bool {
        self.logs.has_news()
    }

    /// Deletes the objects of the job.
    pub(super) fn delete(&self) -> Result<(), KubernetesError> {
        self.cluster.delete(self.served)
    }

    fn heard(&mut self, job: &KubernetesJob) -> Result<Said, JobsError> {
        if let Some(reason) = self.begun_again(&job.pods)
            && !matches!(job.state, KubernetesState::Ended(_))
        {
            return self.given_up(reason, &job.pods);
        }
        match &job.state {
            KubernetesState::Ended(KubernetesEnd::Stuck(reason)) => {
                self.given_up(reason.clone(), &job.pods)
            }
            KubernetesState::Waiting { reason } => {
                let reason = reason.as_ref().map(|reason| format!(": {reason}"));
                self.goes(job, Some(format!("{WAITS}{}", reason.unwrap_or_default())))
            }
            KubernetesState::Running { trouble } => {
                self.note(|record| {
                    record.status = Status::Running;
                    record.started = record.started.or_else(|| Some(unix_ms()));
                })?;
                self.goes(job, trouble.clone())
            }
            KubernetesState::Ended(end) => {
                // A pod may start and end between two checks.
                if job.pods.iter().any(|pod| pod.has_begun) {
                    self.note(|record| {
                        record.started = record.started.or_else(|| Some(unix_ms()));
                    })?;
                }
                self.logs.end(&job.pods)?;
                let (status, reason) = self.end(end)?;
                self.ended(status, reason)
            }
        }
    }

    fn end(&self, end: &KubernetesEnd) -> Result<(Status, Option<String>), JobsError> {
        Ok(match end {
            KubernetesEnd::Succeeded => match self.missing_output() {
                None => (Status::Succeeded, None),
                Some(reason) => (Status::Failed, Some(reason)),
            },
            KubernetesEnd::TimedOut => {
                let record = Jobs::new(self.store).get(self.id)?;
                let waited = record.status_reason.filter(|_| record.started.is_none());
                let waited = waited.and_then(|reason| {
                    let rest = reason.strip_prefix(WAITS)?;
                    Some(format!(" while waiting in Kubernetes{rest}"))
                });
                let waited = waited.unwrap_or_default();
                (Status::Canceled, Some(format!("the job exceeded its timeout{waited}")))
            }
            KubernetesEnd::Failed(reason) | KubernetesEnd::Stuck(reason) => {
                (Status::Failed, Some(reason.clone()))
            }
            KubernetesEnd::Gone => {
                let reason =
                    "the job's objects are gone from Kubernetes, and its outcome was not recorded";
                (Status::Failed, Some(reason.to_owned()))
            }
        })
    }

    /// Handles a job being cancelled: it has ended when nothing of it can still run.
    fn cancelled(&mut self, job: &KubernetesJob, why: &str) -> Result<Said, JobsError> {
        let is_gone = matches!(job.state, KubernetesState::Ended(KubernetesEnd::Gone));
        if !is_gone && let Err(error) = self.delete() {
            return self.unsaid(&error);
        }
        let logs = &mut self.logs;
        let mut has_ended = |pod: &KubernetesPod| pod.has_ended || (is_gone && logs.has_all(pod));
        let left: Vec<&KubernetesPod> = job.pods.iter().filter(|pod| !has_ended(pod)).collect();
        let away: Vec<&&KubernetesPod> = left.iter().filter(|pod| pod.is_out_of_reach).collect();
        match (is_gone, left.as_slice(), away.as_slice()) {
            (true, [], _) => {
                self.logs.end(&[])?;
                self.ended(Status::Canceled, Some(why.to_owned()))
            }
            (true, all, [first, ..]) if all.len() == away.len() => {
                let name = &first.name;
                let reason = format!(
                    "{why}; the node of pod `{name}` is not responding, so the command may still be running"
                );
                self.logs.end(&[])?;
                self.ended(Status::Canceled, Some(reason))
            }
            _ => Ok(Said::Goes(None)),
        }
    }

    /// Returns the reason for failure if a started pod was replaced.
    fn begun_again(&mut self, pods: &[KubernetesPod]) -> Option<String> {
        let is_there = |name: &String| pods.iter().any(|pod| &pod.name == name);
        let gone = self.begun.iter().find(|name| !is_there(name)).cloned();
        let of_job = pods.iter().filter(|pod| pod.has_begun && pod.role == Role::Job);
        self.begun.extend(of_job.map(|pod| pod.name.clone()));
        gone.map(|name| format!("the pod `{name}` was deleted"))
    }

    /// Returns why an output of a successful job is missing here, if one is.
    fn missing_output(&self) -> Option<String> {
        let buffers = Buffers::new(self.store);
        let begun = now();
        let mut missing = self.sent.outputs.iter().peekable();
        while let Some(id) = missing.peek() {
            match buffers.get(id).map(|buffer| buffer.state) {
                Ok(State::Complete(_)) => drop(missing.next()),
                Ok(State::Unwritten | State::Writing) if begun.elapsed() < SEEN => {
                    thread::sleep(Duration::from_millis(200));
                }
                _ => {
                    return Some(format!(
                        "the job succeeded, but the buffer `{id}` is not complete here: this store is not on the volume that `claim` in `[kubernetes]` of `config.toml` names"
                    ));
                }
            }
        }
        None
    }

    fn goes(&mut self, job: &KubernetesJob, reason: Option<String>) -> Result<Said, JobsError> {
        match self.follows {
            Follows::Yes => self.logs.follow(&job.pods)?,
            Follows::No => self.logs.catch_up(&job.pods)?,
        }
        self.note(|record| record.status_reason.clone_from(&reason))?;
        Ok(Said::Goes(reason))
    }

    /// Records that a cluster gave no answer about the job.
    fn unsaid(&self, error: &KubernetesError) -> Result<Said, JobsError> {
        let said = error.to_string();
        self.note(|record| record.status_reason = Some(said.clone()))?;
        Ok(match error {
            KubernetesError::Away { .. } => Said::Silent(said),
            _ => Said::Goes(Some(said)),
        })
    }

    /// Gives up a job that cannot continue and that the cluster would retry.
    fn given_up(&mut self, reason: String, pods: &[KubernetesPod]) -> Result<Said, JobsError> {
        self.logs.end(pods)?;
        // Delete first: nothing of a failed job may keep running.
        match self.delete() {
            Ok(()) => self.ended(Status::Failed, Some(reason)),
            Err(error) => self.unsaid(&error),
        }
    }

    fn ended(&mut self, status: Status, reason: Option<String>) -> Result<Said, JobsError> {
        let end = (status, reason);
        concluded(self.store, self.own.get(), self.id, self.sent, end.clone(), unix_ms())?;
        purge(self.store, &passing(self.own.get()));
        // Record first: the information must not be lost. Objects that remain are removed by the cluster later.
        let _ = self.delete();
        Ok(Said::Ended(end.0, end.1.unwrap_or_default()))
    }

    /// Updates the job's record, if it changes.
    fn note(&self, change: impl FnOnce(&mut JobRecord)) -> Result<(), JobsError> {
        let jobs = Jobs::new(self.store);
        let mut record = jobs.noted(self.id)?;
        let known = |of: &JobRecord| (of.status, of.status_reason.clone(), of.started);
        let before = known(&record);
        change(&mut record);
        match before == known(&record) {
            true => Ok(()),
            false => jobs.note(self.own.get(), &record),
        }
    }
}

impl Owned<'_> {
    fn get(&self) -> &OwnJob {
        match self {
            Owned::Lent(own) => own,
            Owned::Taken(own) => own,
        }
    }
}
