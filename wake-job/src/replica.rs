//! One replica of a job whose others run elsewhere: what is known of it, and the right to run it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wake_model::ActionDigest;

use crate::record::{JobLog, JobsError, LOG, Status, io_error, why_cancelled};

/// The file that says how all replicas of a job end.
pub(crate) const STOP: &str = "stop.json";

/// What is known of a replica; times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplicaRecord {
    /// How far it is.
    pub status: Status,
    /// Why it ended so.
    pub status_reason: Option<String>,
    /// The machine that it is on, as the engine calls it.
    pub node: Option<String>,
    /// The action that it performed.
    #[serde(default)]
    pub action: Option<ActionDigest>,
    /// When it began.
    pub started: Option<u64>,
    /// When it ended.
    pub finished: Option<u64>,
}

/// A replica that this process runs: as long as this lives, others know that it does.
#[derive(Debug)]
pub struct OwnReplica {
    pub(crate) number: u32,
    /// The directory of its job.
    pub(crate) job: PathBuf,
    /// Its own.
    pub(crate) dir: PathBuf,
    pub(crate) _lock: File,
    pub(crate) record: ReplicaRecord,
}

/// What came of beginning a replica.
#[derive(Debug)]
pub enum BegunReplica {
    /// It is this process that runs it.
    Own(OwnReplica),
    /// Its job is over, or about to be.
    Over,
    /// Another process runs it, or has run it.
    Taken,
}

impl ReplicaRecord {
    /// That of one that nobody has begun.
    pub(crate) fn waiting() -> Self {
        let (status, status_reason) = (Status::Pending, None);
        let (node, action, started, finished) = (None, None, None, None);
        ReplicaRecord { status, status_reason, node, action, started, finished }
    }

    /// The same of one whose job ended before it began.
    pub(crate) fn never_begun(self, now: u64) -> Self {
        self.ended(
            (Status::Canceled, Some("the job ended before this replica started".to_owned())),
            now,
        )
    }

    /// The same of one that ended so.
    pub(crate) fn ended(self, (status, status_reason): (Status, Option<String>), now: u64) -> Self {
        ReplicaRecord { status, status_reason, finished: Some(now), ..self }
    }
}

impl OwnReplica {
    /// The directory of its job.
    pub fn job_dir(&self) -> &Path {
        &self.job
    }

    /// Why it is to end, if it is.
    pub fn why_ended(&self) -> Option<String> {
        let stopped = || self.job.join(STOP).exists().then(|| BY_ANOTHER.to_owned());
        why_cancelled(&self.job).or_else(stopped)
    }

    /// The file of what its command writes.
    pub fn log(&self) -> Result<JobLog, JobsError> {
        JobLog::at(&self.dir.join(LOG))
    }
}

/// Why a replica was ended that would have gone on.
const BY_ANOTHER: &str = "another replica did not succeed";

/// What a file says; none if it is not there.
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
