//! The engines elsewhere: what each of them does for a job, and says of one.

use wake_job::record::{EngineName, Jobs, SentJob};
use wake_store::Store;

use super::ready::ReadyJob;
use super::said::Said;
use super::{failure, slurm};
use crate::exit::Stop;

/// Has an engine run a job, and keeps what it calls it.
pub(super) fn submit(engine: EngineName, job: &ReadyJob<'_>) -> Result<(), Stop> {
    match engine {
        EngineName::Slurm => slurm::submit(job),
    }
}

/// Asks an engine for a job that it was sent.
pub(super) fn look(store: &Store, id: u64, sent: &SentJob) -> Said {
    match sent.engine {
        EngineName::Slurm => slurm::look(&sent.id, || Jobs::new(store).engine_log(id)),
    }
}

/// Asks for the end of a job that was sent: its process is told, or where there is none, its engine.
pub(super) fn cancel(store: &Store, id: u64) -> Result<(), Stop> {
    let jobs = Jobs::new(store);
    if jobs.is_held(id) {
        return Ok(());
    }
    let Some(sent) = jobs.sent(id).map_err(failure)? else { return Ok(()) };
    match sent.engine {
        EngineName::Slurm => slurm::cancel(&sent.id),
    }
}
