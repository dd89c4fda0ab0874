//! Jobs that an engine elsewhere was asked to run: the engine, and its id of the job.
//!
//! The process that runs such a job records its status like any other. If there is none, only the engine knows the status.

use wake_buffer::{BufferError, Buffers, State, WriteOptions};
use wake_model::BufferId;
use wake_store::Store;

use crate::jobs::{Jobs, JobsError, OwnJob, SENT};
use crate::order::purge_passing;
use crate::record::{JobRecord, SentJob, Status};

/// Records which engine was asked to run a job, and its id of the job.
///
/// Must be called before the job's lock is released: a process that finds the lock free looks for this record.
pub fn keep_sent(store: &Store, own: &OwnJob, sent: &SentJob) -> Result<(), JobsError> {
    let path = own.dir().join(SENT);
    let damaged = |error: serde_json::Error| JobsError::Damaged {
        path: path.clone(),
        problem: error.to_string(),
    };
    let bytes = serde_json::to_vec_pretty(sent).map_err(damaged)?;
    Ok(store.keep_file(&path, &bytes)?)
}

/// Records how a job ended that no process reports on, fails its unwritten outputs, and returns its record.
///
/// If a process has recorded an end in the meantime, that one is kept.
pub fn conclude(
    store: &Store,
    id: u64,
    sent: &SentJob,
    (status, reason): (Status, String),
    now: u64,
) -> Result<JobRecord, JobsError> {
    let jobs = Jobs::new(store);
    let Some(own) = jobs.claim(id)? else { return jobs.get(id) };
    concluded(store, &own, id, sent, (status, Some(reason)), now)
}

/// The same for the holder of the job's lock.
pub fn concluded(
    store: &Store,
    own: &OwnJob,
    id: u64,
    sent: &SentJob,
    (status, reason): (Status, Option<String>),
    now: u64,
) -> Result<JobRecord, JobsError> {
    let jobs = Jobs::new(store);
    let mut record = jobs.get(id)?;
    if record.status.is_last() {
        return Ok(record);
    }
    fail_unwritten(store, &sent.outputs, reason.as_deref().unwrap_or("the job has ended"), now);
    record.status = status;
    record.status_reason = reason;
    record.finished = Some(now);
    jobs.note(own, &record)?;
    purge_passing(store, own.dir());
    Ok(record)
}

/// Fails the buffers whose writing has not begun.
pub fn fail_unwritten(store: &Store, outputs: &[BufferId], reason: &str, now: u64) {
    let buffers = Buffers::new(store);
    let fail = |id: &BufferId| -> Result<(), BufferError> {
        match buffers.get(id)?.state {
            State::Unwritten => buffers.begin(id, WriteOptions::default(), now)?.fail(reason),
            _ => Ok(()),
        }
    };
    // A buffer that cannot be written is not read by anybody either.
    outputs.iter().for_each(|id| drop(fail(id)));
}
