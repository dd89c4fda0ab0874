//! One replica of a job whose replicas run independently: its record and its lock.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wake_model::ActionDigest;

use crate::job_log::{JobLog, LOG};
use crate::jobs::{JobsError, io_error, why_cancelled};
use crate::record::Status;

/// The file that tells all replicas of a job to end, and how the job ends.
pub(crate) const STOP: &str = "stop.json";

/// The record of a replica; times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaRecord {
    /// Its status.
    pub status: Status,
    /// The reason for its status.
    pub status_reason: Option<String>,
    /// The engine's name for the machine that it runs on.
    pub node: Option<String>,
    /// The action that it performed.
    #[serde(default)]
    pub action: Option<ActionDigest>,
    /// When it started.
    pub started: Option<u64>,
    /// When it ended.
    pub finished: Option<u64>,
}

/// The lock of a replica, which the process that runs the replica holds as long as this value lives.
#[derive(Debug)]
pub struct OwnReplica {
    pub(crate) number: u32,
    /// The directory of its job.
    pub(crate) job: PathBuf,
    /// Its own directory.
    pub(crate) dir: PathBuf,
    pub(crate) _lock: File,
    pub(crate) record: ReplicaRecord,
}

/// The result of starting a replica.
#[derive(Debug)]
pub enum BegunReplica {
    /// This process runs it.
    Own(OwnReplica),
    /// Its job has ended, or is ending.
    Over,
    /// Another process is running it, or has run it.
    Taken,
}

impl ReplicaRecord {
    /// Returns the record of a replica that has not started.
    pub(crate) fn waiting() -> Self {
        let (status, status_reason) = (Status::Pending, None);
        let (node, action, started, finished) = (None, None, None, None);
        ReplicaRecord { status, status_reason, node, action, started, finished }
    }

    /// Returns the record of a replica whose job ended before it started.
    pub(crate) fn never_begun(self, now: u64) -> Self {
        self.ended(
            (Status::Canceled, Some("the job ended before this replica started".to_owned())),
            now,
        )
    }

    /// Returns the record of a replica that ended with this status and reason.
    pub(crate) fn ended(self, (status, status_reason): (Status, Option<String>), now: u64) -> Self {
        ReplicaRecord { status, status_reason, finished: Some(now), ..self }
    }
}

impl OwnReplica {
    /// The directory of its job.
    pub fn job_dir(&self) -> &Path {
        &self.job
    }

    /// Returns why it is to end, if it is.
    pub fn why_ended(&self) -> Option<String> {
        let stopped = || self.job.join(STOP).exists().then(|| BY_ANOTHER.to_owned());
        why_cancelled(&self.job).or_else(stopped)
    }

    /// Opens the log of its command.
    pub fn log(&self) -> Result<JobLog, JobsError> {
        JobLog::at(&self.dir.join(LOG))
    }
}

/// The reason of a replica that was stopped because of another one.
const BY_ANOTHER: &str = "another replica did not succeed";

/// Reads a JSON file; none if it does not exist.
pub(crate) fn read<T: for<'d> Deserialize<'d>>(path: &Path) -> Result<Option<T>, JobsError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => {
            let bytes = bytes.map_err(|source| io_error(path, source))?;
            serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error))
        }
    }
}

pub(crate) fn damaged(path: &Path, error: &serde_json::Error) -> JobsError {
    JobsError::Damaged { path: path.to_owned(), problem: error.to_string() }
}
