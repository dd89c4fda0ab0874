//! The record of a job. Source: `spec/jobs.md`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use wake_model::{BufferId, Tags};

/// The reason of a job that a user cancelled.
pub const BY_USER: &str = "Canceled by user";
/// The reason of a job whose standard output was closed by its reader.
pub const NOBODY_READS: &str = "standard output was closed";

/// The status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It has not started.
    Pending,
    /// Its command runs.
    Running,
    /// Its command exited with 0.
    Succeeded,
    /// It failed.
    Failed,
    /// Somebody has asked to cancel it.
    Canceling,
    /// It was cancelled.
    Canceled,
}

/// The record of a job; times are in milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobRecord {
    /// Its number.
    pub id: u64,
    /// Its status.
    pub status: Status,
    /// The reason for its status.
    pub status_reason: Option<String>,
    /// When it was created.
    pub created: u64,
    /// When its command started.
    pub started: Option<u64>,
    /// When it ended.
    pub finished: Option<u64>,
    /// Its codespec: a reference, or the image of a codespec without a name.
    pub codespec: String,
    /// The content id of the codespec.
    pub content_id: String,
    /// The number of replicas.
    #[serde(default = "one")]
    pub replicas: u32,
    /// The worker that serves it.
    #[serde(default)]
    pub worker: Option<WorkerRecord>,
    /// Its buffers, by their names in the codespec; `_` for those that are not kept.
    pub buffers: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
    /// Its time limit in seconds.
    pub timeout_seconds: u64,
    /// Whether its result was cached, so that it did not run.
    pub remembered: bool,
    /// Why its result will not be cached.
    pub not_remembered: Option<String>,
}

/// The record of the worker of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerRecord {
    /// Its codespec: a reference, or the image of a codespec without a name.
    pub codespec: String,
    /// The content id of the codespec.
    pub content_id: String,
    /// The number of replicas.
    pub replicas: u32,
    /// The number of restarts of all replicas.
    #[serde(default)]
    pub restarts: u32,
}

fn one() -> u32 {
    1
}

/// The engine elsewhere that was asked to run a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SentJob {
    /// The engine.
    pub engine: EngineName,
    /// The engine's id of the job.
    pub id: String,
    /// The buffers that the job writes.
    pub outputs: Vec<BufferId>,
    /// Whether its replicas run independently, each on any machine.
    #[serde(default)]
    pub apart: bool,
}

/// The engines other than this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EngineName {
    /// Slurm.
    Slurm,
    /// Kubernetes.
    Kubernetes,
}

/// The name for people.
impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineName::Slurm => "Slurm",
            EngineName::Kubernetes => "Kubernetes",
        })
    }
}

impl Status {
    /// Whether it is final.
    pub fn is_last(self) -> bool {
        matches!(self, Status::Succeeded | Status::Failed | Status::Canceled)
    }
}
