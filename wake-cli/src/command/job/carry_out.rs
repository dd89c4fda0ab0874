//! Running a job in this process.

use std::io::Write;
use std::sync::Arc;

use wake_buffer::Buffers;
use wake_codespec::run::RunDocument;
use wake_image::Images;
use wake_job::image_root::RootError;
use wake_job::jobs::{Jobs, JobsError, OwnJob};
use wake_job::options::Streams;
use wake_job::perform::{JobEnd, Surroundings, perform, watched};
use wake_job::prepare::{Plan, plan};
use wake_job::record::{JobRecord, Status};
use wake_job::resolve::PrepareError;
use wake_job::task::Task;
use wake_model::BufferId;
use wake_steps::Cancel;
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::image_failure::image_failure;
use wake_store::Store;
use wake_store::ware::Web;

use super::{JOB_FAILED, document, failure, shown};
use crate::args::JobArgs;
use crate::codespecs;
use crate::command::buffer::failure as buffer_failure;
use crate::documents::wrong;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::report::diagnostic::tell;
use crate::session;
use crate::settings::Settings;
use crate::signals;
use crate::terminal::style::Role;

/// Runs `wake job exec` and `wake job run` locally.
pub(super) fn carry_out(
    args: &JobArgs,
    streams: Streams,
    (run, plan): (RunDocument, Plan),
    store: &Arc<Store>,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let cancel = session::cancel()?;
    let images = Images::new(store, Web::new(settings.route.clone()), cancel.meter());
    let roots = plan.roots(store, &images).map_err(|(_, error)| rootless(error))?;
    let outputs = plan.make_outputs(&run, store, unix_ms()).map_err(unprepared)?;
    let jobs = Jobs::new(store);
    let begun = jobs.begin(|id| plan.record(id, &run, &outputs, unix_ms())).map_err(failure)?;
    let (own, mut record) = begun;
    let passing = outputs.passing.clone();
    let task = Arc::new(plan.task(record.id, &run, roots, outputs));
    let style = settings.manner.style;
    let talks = settings.manner.verbosity > Verbosity::Quiet;
    if talks && let Some(why) = &record.not_remembered {
        let text = format!("job {}; its result will not be cached because {why}", record.id);
        writeln!(say, "{}", style.verb(Role::Guide, "Running", text))?;
    }
    let mut wrote = |bytes: &[u8]| {
        if args.logs {
            // A closed stream is not an error; the log has everything.
            let _ = say.write_all(bytes).and_then(|()| say.flush());
        }
    };
    let running = Running { store, settings, cancel: &cancel, rerun: args.rerun };
    let end = watched(&|| own.why_cancelled().is_some(), &cancel, || {
        running.to_its_end(&own, &mut record, &task, &mut wrote)
    });
    let end = end.map_err(failure)?;
    drop(own);
    purge(store, &passing);
    if end.nobody_reads {
        return Err(Stop::NobodyReads);
    }
    if let Some(trouble) = end.failure {
        return Err(trouble.into());
    }
    if talks && record.remembered {
        let text = format!("job {}; `--rerun` runs it again", record.id);
        writeln!(say, "{}", style.verb(Role::Good, "Cached", text))?;
    }
    if streams == Streams::Made {
        print::json(&shown(&record, jobs)?, out)?;
    }
    if record.status == Status::Succeeded {
        return Ok(Exit::SUCCESS);
    }
    let reason = record.status_reason.unwrap_or_default();
    let text = format!("job {}: {reason}; `wake job logs {}`", record.id, record.id);
    writeln!(say, "{}", style.verb(Role::Bad, "Failed", text))?;
    Ok(Exit(signals::stopped().unwrap_or(JOB_FAILED)))
}

/// Plans a run for this machine, and prints warnings.
pub(super) fn planned(
    args: &JobArgs,
    streams: Streams,
    store: &Store,
    settings: &Settings,
) -> Result<(RunDocument, Plan), Stop> {
    let run = document::document(args, settings)?;
    let options = document::options(args, streams, settings)?;
    let plan = plan(&run, options, store, unix_ms()).map_err(unprepared)?;
    for warning in &plan.warnings {
        let diagnostic = Diagnostic::error(Class::Usage, warning);
        tell(&Diagnostic { level: Level::Warning, ..diagnostic }, settings.manner);
    }
    Ok((run, plan))
}

/// What a job runs with.
pub(super) struct Running<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) settings: &'a Settings,
    pub(super) cancel: &'a Cancel,
    pub(super) rerun: bool,
}

impl Running<'_> {
    /// Runs a job to its end, and records its status.
    pub(super) fn to_its_end(
        &self,
        own: &OwnJob,
        record: &mut JobRecord,
        task: &Arc<Task>,
        wrote: &mut dyn FnMut(&[u8]),
    ) -> Result<JobEnd, JobsError> {
        let Running { store, settings, cancel, rerun } = *self;
        let log = own.log()?;
        record.status = Status::Running;
        record.started = Some(unix_ms());
        Jobs::new(store).note(own, record)?;
        let end = match session::worker() {
            Ok(worker) => {
                let sandbox = settings.sandbox;
                let mut told = record.clone();
                let mut restarted = |restarts: u32| {
                    if let Some(worker) = &mut told.worker {
                        worker.restarts = restarts;
                    }
                    // A failure to record the status must not stop a worker.
                    let _ = Jobs::new(store).note(own, &told);
                };
                let restarted = &mut restarted;
                let with = Surroundings { store, worker, sandbox, cancel, rerun, wrote, restarted };
                let end = perform(task, log, with);
                record.worker = told.worker;
                end
            }
            Err(diagnostic) => JobEnd::failed(diagnostic),
        };
        self.note_end(own, record, &end)?;
        Ok(end)
    }

    /// Records how a job ended.
    pub(super) fn note_end(
        &self,
        own: &OwnJob,
        record: &mut JobRecord,
        end: &JobEnd,
    ) -> Result<(), JobsError> {
        record.status = end.status;
        record.status_reason.clone_from(&end.reason);
        record.finished = Some(unix_ms());
        record.remembered = end.remembered;
        Jobs::new(self.store).note(own, record)
    }
}

/// Deletes buffers that are no longer needed.
pub(super) fn purge(store: &Store, passing: &[BufferId]) {
    for id in passing {
        // At worst a tagged buffer is left over.
        let _ = Buffers::new(store).purge(id);
    }
}

/// Turns a planning error into the end of a command.
pub(super) fn unprepared(error: PrepareError) -> Stop {
    match error {
        PrepareError::Codespec(error) => codespecs::failure(error).into(),
        PrepareError::Document(error) => wrong(error, Level::Error).into(),
        PrepareError::Buffer(error) => buffer_failure(error).into(),
        PrepareError::Refused(diagnostic) => (*diagnostic).into(),
    }
}

/// Turns a root file system error into the end of a command.
pub(super) fn rootless(error: RootError) -> Stop {
    match error {
        RootError::Image(error) => {
            let help = "to run without the image, use `--rootfs DIR` or `--rootfs host`";
            image_failure(&error).help(help).into()
        }
        RootError::Refused(diagnostic) => (*diagnostic).into(),
    }
}
