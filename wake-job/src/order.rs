//! A job that another process runs than the one that made it: what it is to do lies beside what is known of it.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wake_buffer::Buffers;
use wake_codespec::named::Source;
use wake_codespec::run::RunDocument;
use wake_model::BufferId;
use wake_store::Store;

use crate::options::JobOptions;
use crate::record::{JobRecord, Jobs, JobsError, OwnJob, Status};

const RUN: &str = "run.json";
const ORDER: &str = "order.json";

/// What is said of a job beside the document of its run, all of whose buffers are named there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobOrder {
    /// How it is run.
    pub options: JobOptions,
    /// Whether it runs although it is remembered.
    pub rerun: bool,
    /// The buffers that nobody will want afterwards.
    pub passing: Vec<BufferId>,
}

/// A job that was made to be run by this process.
#[derive(Debug)]
pub struct TakenJob {
    /// The right to run it.
    pub own: OwnJob,
    /// What is known of it.
    pub record: JobRecord,
    /// What it is.
    pub run: RunDocument,
    /// How it is run.
    pub order: JobOrder,
}

/// Why a job that was made cannot be run by this process.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It runs, or has run.
    #[error("the job `{id}` is not pending: it is {status:?}")]
    NotPending {
        /// The job.
        id: u64,
        /// How far it is.
        status: Status,
    },
    /// Somebody else has the right to run it.
    #[error("the job `{0}` is already run by another process")]
    Taken(u64),
    /// What it is cannot be read.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What is known of it cannot be read.
    #[error(transparent)]
    Jobs(#[from] JobsError),
}

/// Leaves what a job is to whoever will have the right to run it.
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

/// The buffers of a job that nobody will want when it has ended; none where that cannot be read, which leaves litter at worst.
pub fn passing(own: &OwnJob) -> Vec<BufferId> {
    let order = fs::read(own.dir().join(ORDER)).unwrap_or_default();
    serde_json::from_slice::<JobOrder>(&order).map(|order| order.passing).unwrap_or_default()
}

/// Takes over the job of this number; where `handed` is its lock, with the right to run it that whoever made it had.
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

/// What was left in the directory of a job to whoever runs it.
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

/// Removes the buffers that nobody will want after a job that lies in this directory.
pub(crate) fn purge_passing(store: &Store, dir: &Path) {
    // Litter at worst, which has a tag.
    let Ok((_, order)) = left(dir) else { return };
    order.passing.iter().for_each(|id| drop(Buffers::new(store).purge(id)));
}

fn damaged(path: PathBuf, problem: String) -> TakeError {
    TakeError::Damaged { path, problem }
}
