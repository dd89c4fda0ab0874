//! Dispatch to the remote engines: submitting, querying and cancelling jobs.

use std::collections::BTreeMap;

use wake_job::jobs::{Jobs, JobsError};
use wake_job::record::{EngineName, SentJob, Status};
use wake_store::Store;

use super::ready::ReadyJob;
use super::said::Said;
use super::{failure, kubernetes, slurm};
use crate::args::JobArgs;
use crate::exit::Stop;
use crate::settings::Settings;

/// Checks that an engine supports the job's flags.
pub(super) fn possible(engine: EngineName, args: &JobArgs) -> Result<(), Stop> {
    match engine {
        EngineName::Slurm => Ok(()),
        EngineName::Kubernetes => kubernetes::possible(args),
    }
}

/// Submits a job to an engine, and records the engine's id.
pub(super) fn submit(engine: EngineName, job: &ReadyJob<'_>) -> Result<(), Stop> {
    match engine {
        EngineName::Slurm => slurm::submit(job),
        EngineName::Kubernetes => kubernetes::submit(job),
    }
}

/// Queries an engine about a submitted job.
pub(super) fn look(
    store: &Store,
    settings: &Settings,
    id: u64,
    sent: &SentJob,
) -> Result<Said, JobsError> {
    match sent.engine {
        EngineName::Slurm => Ok(slurm::look(&sent.id, || Jobs::new(store).engine_log(id, None))),
        EngineName::Kubernetes => kubernetes::look(store, settings, id, sent),
    }
}

/// Queries an engine about the replicas of a job that run separately.
pub(super) fn look_at_replicas(
    store: &Store,
    id: u64,
    sent: &SentJob,
    wanted: &[(u32, Status)],
) -> BTreeMap<u32, Said> {
    let log = |number| Jobs::new(store).engine_log(id, Some(number));
    match sent.engine {
        EngineName::Slurm => slurm::look_at_replicas(&sent.id, wanted, log),
        // A cluster runs all replicas as one job.
        EngineName::Kubernetes => BTreeMap::new(),
    }
}

/// Cancels the pending replicas of a job that is ending.
pub(super) fn let_go(sent: &SentJob) -> Result<(), Stop> {
    match sent.engine {
        EngineName::Slurm => slurm::let_go(&sent.id),
        EngineName::Kubernetes => Ok(()),
    }
}

/// Cancels a submitted job, through its process or else its engine.
pub(super) fn cancel(store: &Store, settings: &Settings, id: u64) -> Result<(), Stop> {
    let jobs = Jobs::new(store);
    let sent = jobs.sent(id).map_err(failure)?;
    let Some(sent) = sent.filter(|sent| sent.apart || !jobs.is_held(id)) else { return Ok(()) };
    if sent.apart {
        // wake stops running replicas; replicas that start anyway find the job ended.
        let _ = let_go(&sent);
        return Ok(());
    }
    match sent.engine {
        EngineName::Slurm => slurm::cancel(&sent.id),
        EngineName::Kubernetes => kubernetes::cancel(store, settings, id, &sent),
    }
}
