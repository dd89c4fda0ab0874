//! One replica of a job whose other replicas run elsewhere, as started by an engine.

use std::path::Path;
use std::sync::Arc;

use wake_image::Images;
use wake_job::graphics::GivenGraphics;
use wake_job::jobs::{Jobs, JobsError};
use wake_job::options::{JobOptions, Place};
use wake_job::order::left;
use wake_job::perform::{JobEnd, Surroundings, perform as perform_task, watched};
use wake_job::prepare::plan;
use wake_job::record::{BY_USER, Status};
use wake_job::remembered::remember;
use wake_job::replica::{BegunReplica, OwnReplica, ReplicaRecord};
use wake_job::replicas::Replicas;
use wake_job::task::Task;
use wake_steps::Cancel;
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;
use wake_store::ware::Web;

use super::detached::{begun, detach};
use super::{engines, failure};
use crate::exit::{Exit, Outcome};
use crate::session;
use crate::settings::Settings;

/// `wake job perform --replica`: runs one replica, and records how the job ended if it was the last.
pub(super) fn perform(
    (id, number): (u64, u32),
    (node, graphics): (Option<String>, Option<&GivenGraphics>),
    store: &Arc<Store>,
    settings: &Settings,
) -> Outcome {
    let jobs = Jobs::new(store);
    let usage = |message: String| Diagnostic::error(Class::Usage, message);
    let replicas = Replicas::of(jobs, id).map_err(failure)?;
    let replicas = replicas
        .ok_or_else(|| usage(format!("the replicas of job `{id}` do not run separately")))?;
    let own = match replicas.begin(number, node, unix_ms()).map_err(failure)? {
        BegunReplica::Own(own) => own,
        // The job is already over.
        BegunReplica::Over => return Ok(Exit::SUCCESS),
        BegunReplica::Taken => {
            let message = format!("replica {number} of job `{id}` is not pending");
            return Err(usage(message).into());
        }
    };
    detach().map_err(|error| {
        let message = format!("cannot detach job `{id}`: {error}");
        Diagnostic::error(Class::Environment, message)
    })?;
    let cancel = session::cancel()?;
    let one = Replica { id, number, graphics, store, settings, cancel: &cancel };
    let end = watched(&|| own.why_ended().is_some(), &cancel, || one.to_its_end(&own));
    let end = end.map_err(failure)?;
    let reason = match end.reason.as_deref() {
        Some(BY_USER) => own.why_ended().or_else(|| Some(BY_SIGNAL.to_owned())),
        _ => end.reason,
    };
    let dir = own.job_dir().to_owned();
    let mut remembered = |all: &[ReplicaRecord]| one.remember(&dir, all);
    let ended = replicas.end(own, (end.status, reason), end.action, unix_ms(), &mut remembered);
    ended.map_err(failure)?;
    if end.status != Status::Succeeded
        && let Some(sent) = jobs.sent(id).map_err(failure)?
    {
        // A node may be unable to reach the engine; replicas that start find the job ended.
        let _ = engines::let_go(&sent);
    }
    Ok(Exit::SUCCESS)
}

/// Why a replica ended without being cancelled.
const BY_SIGNAL: &str = "its process was terminated by a signal";

/// One replica, and what it runs with.
struct Replica<'a> {
    id: u64,
    number: u32,
    graphics: Option<&'a GivenGraphics>,
    store: &'a Arc<Store>,
    settings: &'a Settings,
    cancel: &'a Cancel,
}

impl Replica<'_> {
    fn to_its_end(&self, own: &OwnReplica) -> Result<JobEnd, JobsError> {
        let Replica { store, settings, cancel, .. } = *self;
        let log = own.log()?;
        let task = match self.task(own.job_dir()) {
            Ok(task) => Arc::new(task),
            Err(reason) => return Ok(JobEnd::not_begun(&reason, cancel.is_cancelled())),
        };
        let worker = match session::worker() {
            Ok(worker) => worker,
            Err(diagnostic) => return Ok(JobEnd::failed(diagnostic)),
        };
        let (wrote, restarted) = (&mut |_: &[u8]| {}, &mut |_: u32| {});
        // The result of one of several replicas is not cached.
        let (sandbox, rerun) = (settings.sandbox, true);
        Ok(perform_task(
            &task,
            log,
            Surroundings { store, worker, sandbox, cancel, rerun, wrote, restarted },
        ))
    }

    /// Caches the result of the whole job.
    fn remember(&self, dir: &Path, all: &[ReplicaRecord]) {
        let Ok(task) = self.task(dir) else { return };
        if task.forgotten {
            return;
        }
        let task = Arc::new(Task { own: 0..task.replicas, ..task });
        let performed: Vec<_> = all.iter().map(|replica| replica.action).collect();
        // A failure to cache it must not fail the job.
        let _ = remember(&task, self.store, self.settings.sandbox, &performed);
    }

    fn task(&self, dir: &Path) -> Result<Task, String> {
        let Replica { id, number, graphics, store, settings, cancel } = *self;
        let (run, order) = left(dir).map_err(|error| error.to_string())?;
        let (place, graphics) = (Place::Replica(number), graphics.cloned());
        let options = JobOptions { place, graphics, ..order.options };
        let plan = plan(&run, options, store, unix_ms()).map_err(|error| error.to_string())?;
        let images = Images::new(store, Web::new(settings.route.clone()), cancel.meter());
        let (roots, made) = begun(&plan, &run, store, &images)?;
        Ok(plan.task(id, &run, roots, made))
    }
}
