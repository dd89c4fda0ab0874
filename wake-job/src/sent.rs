//! Jobs that an engine elsewhere was asked to run: which one, and what it calls them.
//!
//! The process that runs such a job there says how far it is, as every other does. Where there is none, the engine alone knows.

use wake_buffer::{BufferError, Buffers, State, WriteOptions};
use wake_model::BufferId;
use wake_store::Store;

use crate::order::purge_passing;
use crate::record::{JobRecord, Jobs, JobsError, OwnJob, SENT, SentJob, Status};

/// Keeps which engine is asked to run a job of this process, and what it calls it.
///
/// Before the process gives up the right to run it: who finds nobody with that looks who was asked.
pub fn keep_sent(store: &Store, own: &OwnJob, sent: &SentJob) -> Result<(), JobsError> {
    let path = own.dir().join(SENT);
    let damaged = |error: serde_json::Error| JobsError::Damaged {
        path: path.clone(),
        problem: error.to_string(),
    };
    let bytes = serde_json::to_vec_pretty(sent).map_err(damaged)?;
    Ok(store.keep_file(&path, &bytes)?)
}

/// Keeps how a job ended of which nobody else will say it, and has its outputs be such that nobody waits for them; what is known of it then.
///
/// What a process has said meanwhile counts more.
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

/// The same by whoever has the right to run it.
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

/// Says of buffers that nobody has begun to write that nobody will.
pub fn fail_unwritten(store: &Store, outputs: &[BufferId], reason: &str, now: u64) {
    let buffers = Buffers::new(store);
    let fail = |id: &BufferId| -> Result<(), BufferError> {
        match buffers.get(id)?.state {
            State::Unwritten => buffers.begin(id, WriteOptions::default(), now)?.fail(reason),
            _ => Ok(()),
        }
    };
    // One that cannot be written is none that anybody reads.
    outputs.iter().for_each(|id| drop(fail(id)));
}
