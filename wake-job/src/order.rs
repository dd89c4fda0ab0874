//! Jobs that are run by another process than their creator: the instructions are stored beside the record.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wake_buffer::Buffers;
use wake_codespec::named::Source;
use wake_codespec::run::RunDocument;
use wake_model::BufferId;
use wake_store::Store;

use crate::jobs::{Jobs, JobsError, OwnJob};
use crate::options::JobOptions;
use crate::record::{JobRecord, Status};

const RUN: &str = "run.json";
const ORDER: &str = "order.json";

/// The instructions for a job besides the document of its run, which names all buffers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOrder {
    /// How it is run.
    pub options: JobOptions,
    /// Whether it runs even if it is remembered.
    pub rerun: bool,
    /// Temporary buffers, which are removed afterwards.
    pub passing: Vec<BufferId>,
}

/// A job that this process has taken over.
#[derive(Debug)]
pub struct TakenJob {
    /// Its lock.
    pub own: OwnJob,
    /// Its record.
    pub record: JobRecord,
    /// Its run.
    pub run: RunDocument,
    /// How it is run.
    pub order: JobOrder,
}

/// Why this process cannot take over a job.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It is running, or has run.
    #[error("the job `{id}` is not pending: it is {status:?}")]
    NotPending {
        /// The job.
        id: u64,
        /// Its status.
        status: Status,
    },
    /// Another process holds its lock.
    #[error("the job `{0}` is already being run by another process")]
    Taken(u64),
    /// Its run or its instructions are damaged.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// Its record cannot be read.
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

/// Stores the run and the instructions of a job for the process that will run it.
pub fn leave(
    store: &Store,
    own: &OwnJob,
    run: &RunDocument,
    order: &JobOrder,
) -> Result<(), JobsError> {
    let keep = |name: &str, bytes: Result<Vec<u8>, serde_json::Error>| {
        let path = own.dir().join(name);
        let damaged = |error: serde_json::Error| JobsError::Damaged {
            path: path.clone(),
            problem: error.to_string(),
        };
        Ok(store.keep_file(&path, &bytes.map_err(damaged)?)?)
    };
    keep(RUN, serde_json::to_vec_pretty(run))?;
    keep(ORDER, serde_json::to_vec_pretty(order))
}

/// Returns the temporary buffers of a job; none if they cannot be read, which at worst leaves them behind.
pub fn passing(own: &OwnJob) -> Vec<BufferId> {
    let order = fs::read(own.dir().join(ORDER)).unwrap_or_default();
    serde_json::from_slice::<JobOrder>(&order).map(|order| order.passing).unwrap_or_default()
}

/// Takes over a job: with the lock `handed` that its creator passed on, if it is that, else by taking the lock.
pub fn take(store: &Store, id: u64, handed: impl AsFd) -> Result<TakenJob, TakeError> {
    let jobs = Jobs::new(store);
    let own = match jobs.handed_over(id, handed)? {
        Some(own) => own,
        None => jobs.claim(id)?.ok_or(TakeError::Taken(id))?,
    };
    let record = jobs.get(id)?;
    if record.status.is_last() || record.started.is_some() {
        return Err(TakeError::NotPending { id, status: record.status });
    }
    let (run, order) = left(own.dir())?;
    Ok(TakenJob { own, record, run, order })
}

/// Reads the run and the instructions in the directory of a job.
pub fn left(dir: &Path) -> Result<(RunDocument, JobOrder), TakeError> {
    let bytes = |name: &str| {
        let path = dir.join(name);
        let bytes = fs::read(&path).map_err(|error| damaged(path.clone(), error.to_string()))?;
        Ok::<_, TakeError>((path, bytes))
    };
    let (path, run) = bytes(RUN)?;
    let file = path.to_string_lossy();
    let run = RunDocument::read(Source::Written { file: &file, bytes: &run })
        .map_err(|error| damaged(path.clone(), error.to_string()))?;
    let (path, order) = bytes(ORDER)?;
    let order = serde_json::from_slice(&order).map_err(|error| damaged(path, error.to_string()))?;
    Ok((run, order))
}

/// Removes the temporary buffers of the job in this directory.
pub(crate) fn purge_passing(store: &Store, dir: &Path) {
    // At worst they are left behind, with a tag.
    let Ok((_, order)) = left(dir) else { return };
    order.passing.iter().for_each(|id| drop(Buffers::new(store).purge(id)));
}

fn damaged(path: PathBuf, problem: String) -> TakeError {
    TakeError::Damaged { path, problem }
}
