//! The engines elsewhere: what each of them does for a job, and says of one.

use std::collections::BTreeMap;

use wake_job::record::{EngineName, Jobs, JobsError, SentJob, Status};
use wake_store::Store;

use super::ready::ReadyJob;
use super::said::Said;
use super::{failure, kubernetes, slurm};
use crate::args::JobArgs;
use crate::exit::Stop;
use crate::settings::Settings;

/// Refuses what is said of a job that an engine cannot do.
pub(super) fn possible(engine: EngineName, args: &JobArgs) -> Result<(), Stop> {
    match engine {
        EngineName::Slurm => Ok(()),
        EngineName::Kubernetes => kubernetes::possible(args),
    }
}

/// Has an engine run a job, and keeps what it calls it.
pub(super) fn submit(engine: EngineName, job: &ReadyJob<'_>) -> Result<(), Stop> {
    match engine {
        EngineName::Slurm => slurm::submit(job),
        EngineName::Kubernetes => kubernetes::submit(job),
    }
}

/// Asks an engine for a job that it was sent.
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

/// Asks an engine for those of the replicas of a job that run apart.
pub(super) fn look_at_replicas(
    store: &Store,
    id: u64,
    sent: &SentJob,
    wanted: &[(u32, Status)],
) -> BTreeMap<u32, Said> {
    let log = |number| Jobs::new(store).engine_log(id, Some(number));
    match sent.engine {
        EngineName::Slurm => slurm::look_at_replicas(&sent.id, wanted, log),
        // A cluster has all of them as one job.
        EngineName::Kubernetes => BTreeMap::new(),
    }
}

/// Has an engine let go of replicas that have not begun, of a job that is ending.
pub(super) fn let_go(sent: &SentJob) -> Result<(), Stop> {
    match sent.engine {
        EngineName::Slurm => slurm::let_go(&sent.id),
        EngineName::Kubernetes => Ok(()),
    }
}

/// Asks for the end of a job that was sent: its process is told, or where there is none, its engine.
pub(super) fn cancel(store: &Store, settings: &Settings, id: u64) -> Result<(), Stop> {
    let jobs = Jobs::new(store);
    let sent = jobs.sent(id).map_err(failure)?;
    let Some(sent) = sent.filter(|sent| sent.apart || !jobs.is_held(id)) else { return Ok(()) };
    if sent.apart {
        // Those that run are told by wake; those that begin nevertheless find that all is over.
        let _ = let_go(&sent);
        return Ok(());
    }
    match sent.engine {
        EngineName::Slurm => slurm::cancel(&sent.id),
        EngineName::Kubernetes => kubernetes::cancel(store, settings, id, &sent),
    }
}
