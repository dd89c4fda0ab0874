//! Background jobs: each runs in its own process, in its own session.
#![expect(clippy::disallowed_methods, reason = "this program again is what runs such a job")]

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wake_codespec::run::{BufferArgument, RunDocument};
use wake_image::Images;
use wake_job::graphics::GivenGraphics;
use wake_job::image_root::RootError;
use wake_job::jobs::{Jobs, JobsError, OwnJob};
use wake_job::options::{JobOptions, Place, Streams};
use wake_job::order::{JobOrder, TakeError, TakenJob, leave, take};
use wake_job::perform::{JobEnd, watched};
use wake_job::prepare::{MadeOutputs, Plan, Roots, plan};
use wake_job::record::{BY_USER, JobRecord, SentJob, Status};
use wake_model::SandboxLevel;
use wake_steps::clock::{now, unix_ms};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;
use wake_store::ware::Web;

use super::carry_out::{Running, purge, unprepared};
use super::{LOOK, document, failure};
use crate::args::JobArgs;
use crate::environment;
use crate::exit::{Exit, Outcome, Stop};
use crate::print;
use crate::session;
use crate::settings::Settings;

/// What the process of a job prints when it has taken over the job.
const READY: &[u8] = b"ready";
/// How long the creator of a job may take to release it.
const HANDING_OVER: Duration = Duration::from_secs(10);

/// `wake job create`: creates a job, starts a process to run it, and prints its id.
pub(super) fn create(
    args: &JobArgs,
    (mut run, plan): (RunDocument, Plan),
    store: &Arc<Store>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let streams = Streams::Made;
    let outputs = plan.make_outputs(&run, store, unix_ms()).map_err(unprepared)?;
    let jobs = Jobs::new(store);
    let begun = jobs.begin(|id| plan.record(id, &run, &outputs, unix_ms())).map_err(failure)?;
    let (own, mut record) = begun;
    plan.settle(&mut run);
    name_outputs(&mut run, &outputs);
    let options = document::options(args, streams, settings)?;
    let options = JobOptions { place: Place::Here, ..options };
    let order = JobOrder { options, rerun: args.rerun, passing: outputs.passing };
    let started = leave(store, &own, &run, &order)
        .map_err(|error| failure(error).into())
        .and_then(|()| start(&own, record.id, "perform", settings));
    if let Err(stop) = started {
        record.status = Status::Failed;
        record.status_reason = Some("its process could not be started".to_owned());
        record.finished = Some(unix_ms());
        jobs.note(&own, &record).map_err(failure)?;
        return Err(stop);
    }
    print::line(record.id, out)
}

/// Adds the created buffers to the run.
fn name_outputs(run: &mut RunDocument, outputs: &MadeOutputs) {
    for (name, end) in &outputs.ends {
        if let Some(id) = &end.buffer {
            run.set_argument(name.as_str(), BufferArgument::Buffer(id.clone()));
        }
    }
}

/// Starts the process of a job, `wake job VERB ID`, and waits until it has taken over.
pub(super) fn start(own: &OwnJob, id: u64, verb: &str, settings: &Settings) -> Result<(), Stop> {
    let not_started = |error: io::Error| {
        Stop::from(Diagnostic::error(
            Class::Environment,
            format!("cannot start a process for job `{id}`: {error}"),
        ))
    };
    let mut command = Command::new(environment::program()?);
    command.arg("--store").arg(session::store_dir(settings)?);
    if settings.route.offline {
        command.arg("--offline");
    }
    if settings.sandbox == SandboxLevel::Weak {
        command.args(["--sandbox", "weak"]);
    }
    command.args(["job", verb, &id.to_string()]).current_dir(&settings.cwd);
    // Its standard input is the lock, so the lock is held without a gap.
    command.stdin(Stdio::from(own.hand_over().map_err(failure)?)).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(not_started)?;
    let mut said = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_end(&mut said).map_err(not_started)?;
    }
    if said == READY {
        return Ok(());
    }
    let status = child.wait().map_err(not_started)?;
    let message = format!("the process of job `{id}` exited with {status} before the job started");
    Err(Diagnostic::error(Class::Environment, message).into())
}

/// `wake job perform`: takes over a created job and runs it.
pub(super) fn perform(
    id: u64,
    graphics: Option<&GivenGraphics>,
    store: &Arc<Store>,
    settings: &Settings,
) -> Outcome {
    let taken = taken(id, store).map_err(untaken)?;
    detach().map_err(|error| {
        let message = format!("cannot detach job `{id}`: {error}");
        Diagnostic::error(Class::Environment, message)
    })?;
    let TakenJob { own, mut record, run, order } = taken;
    let cancel = session::cancel()?;
    let running = Running { store, settings, cancel: &cancel, rerun: order.rerun };
    let ended = watched(&|| own.why_cancelled().is_some(), &cancel, || {
        let options = JobOptions { graphics: graphics.cloned(), ..order.options.clone() };
        let plan = plan(&run, options, store, unix_ms());
        let task = plan.map_err(|error| error.to_string()).and_then(|plan| {
            let images = Images::new(store, Web::new(settings.route.clone()), cancel.meter());
            let begun = begun(&plan, &run, store, &images);
            let (roots, made) =
                begun.inspect_err(|reason| plan.fail_outputs(reason, store, unix_ms()))?;
            Ok(Arc::new(plan.task(id, &run, roots, made)))
        });
        match task {
            Ok(task) => {
                let end = running.to_its_end(&own, &mut record, &task, &mut |_| {});
                end.and_then(|_| by_whom(store, &own, &mut record))
            }
            Err(reason) => {
                let end = JobEnd::not_begun(&reason, cancel.is_cancelled());
                running.note_end(&own, &mut record, &end)
            }
        }
    });
    purge(store, &order.passing);
    ended.map_err(failure)?;
    Ok(Exit::SUCCESS)
}

/// Prepares the root file systems and outputs of a job; an error is worded as a status reason.
pub(super) fn begun(
    plan: &Plan,
    run: &RunDocument,
    store: &Store,
    images: &Images<'_>,
) -> Result<(Roots, MadeOutputs), String> {
    let roots = plan.roots(store, images).map_err(|(image, error)| match error {
        RootError::Image(error) => format!("Failed to pull image `{image}`: {error}"),
        RootError::Refused(diagnostic) => diagnostic.message,
    })?;
    let made = plan.make_outputs(run, store, unix_ms());
    Ok((roots, made.map_err(|error| error.to_string())?))
}

/// Takes over a job, waiting for its creator to release it.
fn taken(id: u64, store: &Store) -> Result<TakenJob, TakeError> {
    let begun = now();
    loop {
        match take(store, id, io::stdin()) {
            Err(TakeError::Taken(_)) if begun.elapsed() < HANDING_OVER => thread::sleep(LOOK),
            taken => return taken,
        }
    }
}

/// Records who cancelled a job.
fn by_whom(store: &Store, own: &OwnJob, record: &mut JobRecord) -> Result<(), JobsError> {
    if record.status_reason.as_deref() != Some(BY_USER) {
        return Ok(());
    }
    let by_signal = || "its process was terminated by a signal".to_owned();
    record.status_reason = Some(own.why_cancelled().unwrap_or_else(by_signal));
    Jobs::new(store).note(own, record)?;
    Ok(())
}

/// Takes over the ownership of a submitted job from the process that submitted it.
pub(super) fn handed(id: u64, store: &Store) -> Result<(OwnJob, SentJob), Stop> {
    let jobs = Jobs::new(store);
    let own = match jobs.handed_over(id, io::stdin()).map_err(failure)? {
        Some(own) => own,
        None => jobs.claim(id).map_err(failure)?.ok_or_else(|| untaken(TakeError::Taken(id)))?,
    };
    let sent = jobs.sent(id).map_err(failure)?.ok_or_else(|| {
        Diagnostic::error(Class::Usage, format!("job `{id}` was not submitted to an engine"))
    })?;
    Ok((own, sent))
}

/// Leaves the session, the terminal and the streams of the job's creator.
pub(super) fn detach() -> io::Result<()> {
    // A session leader, as started by a scheduler, has already left them.
    if let Err(error) = rustix::process::setsid()
        && error != rustix::io::Errno::PERM
    {
        return Err(error.into());
    }
    io::stdout().write_all(READY).and_then(|()| io::stdout().flush())?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(null.as_fd())?;
    rustix::stdio::dup2_stdout(null.as_fd())?;
    rustix::stdio::dup2_stderr(null.as_fd())?;
    Ok(())
}

fn untaken(error: TakeError) -> Diagnostic {
    match error {
        TakeError::Jobs(error) => failure(error),
        TakeError::NotPending { .. } | TakeError::Taken(_) => {
            Diagnostic::error(Class::Usage, error.to_string())
        }
        TakeError::Damaged { .. } => Diagnostic::error(Class::Integrity, error.to_string()),
    }
}
