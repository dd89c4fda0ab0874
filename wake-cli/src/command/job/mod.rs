//! `wake job`: runs of codespecs on this machine.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wake_buffer::Buffers;
use wake_codespec::name::CodespecReference;
use wake_codespec::run::{RunDocument, argument};
use wake_image::Images;
use wake_job::moment::rfc3339;
use wake_job::perform::{JobEnd, Surroundings, perform};
use wake_job::prepare::{
    JobOptions, PrepareError, PreparedTask, RootChoice, Streams, merged, prepare,
};
use wake_job::record::{JobRecord, Jobs, JobsError, Status};
use wake_job::task::{InputEnd, Task};
use wake_model::Network;
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::error::store_failure;
use wake_steps::image_failure::image_failure;
use wake_store::Store;
use wake_store::ware::Web;

use crate::args::{JobArgs, JobCommand};
use crate::codespecs;
use crate::command::buffer::{failure as buffer_failure, tags};
use crate::documents::wrong;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::report::diagnostic::tell;
use crate::session;
use crate::settings::Settings;
use crate::terminal::style::Role;

/// What a job that failed ends with.
const JOB_FAILED: u8 = 1;
/// How often is looked whether a job is further.
const LOOK: Duration = Duration::from_millis(50);

/// Runs jobs, and says what is known of them.
pub(crate) fn run(
    command: &JobCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let store = Arc::new(session::store(settings)?);
    let jobs = Jobs::new(&store);
    match command {
        JobCommand::Exec(args) => carry_out(args, Streams::Standard, &store, settings, out, say),
        JobCommand::Run(args) => carry_out(args, Streams::Made, &store, settings, out, say),
        JobCommand::Show { id } => print::json(&shown(&jobs.get(*id).map_err(failure)?), out),
        JobCommand::List { tags: wanted, limit } => {
            let wanted = tags(wanted)?;
            let all = jobs.list().map_err(failure)?;
            let all = all.iter().filter(|job| job.tags.has_all(&wanted));
            let all: Vec<Value> = all.take(limit.unwrap_or(usize::MAX)).map(shown).collect();
            print::json(&all, out)
        }
        JobCommand::Logs { id, follow } => logs(&jobs, *id, *follow, out),
        JobCommand::Watch { id } => watch(&jobs, *id, out),
        JobCommand::Cancel { id } => {
            if !jobs.cancel(*id).map_err(failure)? {
                let message = format!("the job `{id}` has ended");
                return Err(Diagnostic::error(Class::Usage, message).into());
            }
            // It has ended when its processes are gone.
            while !jobs.get(*id).map_err(failure)?.status.is_last() {
                thread::sleep(LOOK);
            }
            print::json(&shown(&jobs.get(*id).map_err(failure)?), out)
        }
    }
}

fn logs(jobs: &Jobs<'_>, id: u64, follow: bool, out: &mut impl Write) -> Outcome {
    let mut from = 0;
    loop {
        // In this order: what is written before the end is in the log.
        let is_over = !follow || jobs.get(id).map_err(failure)?.status.is_last();
        let (bytes, end) = jobs.log(id, from).map_err(failure)?;
        out.write_all(&bytes)?;
        from = end;
        if bytes.is_empty() {
            out.flush()?;
            if is_over {
                return Ok(Exit::SUCCESS);
            }
            thread::sleep(LOOK);
        }
    }
}

fn watch(jobs: &Jobs<'_>, id: u64, out: &mut impl Write) -> Outcome {
    let mut last = None;
    loop {
        let job = jobs.get(id).map_err(failure)?;
        if last != Some(job.status) {
            writeln!(out, "{}", shown(&job))?;
            out.flush()?;
            last = Some(job.status);
        }
        if job.status.is_last() {
            return Ok(if job.status == Status::Succeeded {
                Exit::SUCCESS
            } else {
                Exit(JOB_FAILED)
            });
        }
        thread::sleep(LOOK);
    }
}

fn carry_out(
    args: &JobArgs,
    streams: Streams,
    store: &Arc<Store>,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let document = document(args, settings)?;
    let options = JobOptions {
        root: args.rootfs.as_ref().map(|root| match root.to_str() {
            Some("host") => RootChoice::Host,
            _ => RootChoice::Dir(settings.cwd.join(root)),
        }),
        streams,
        network: if args.allow_network { Network::Host } else { Network::None },
        dir: settings.cwd.clone(),
    };
    if let Some(RootChoice::Dir(dir)) = &options.root
        && !dir.is_dir()
    {
        let message = format!("`{}` is no directory", dir.display());
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    let cancel = session::cancel()?;
    let images = Images::new(store, Web::new(settings.route.clone()), cancel.meter());
    let prepared = prepare(&document, &options, store, &images, unix_ms()).map_err(unprepared)?;
    let PreparedTask { task, passing, warnings } = prepared;
    for warning in warnings {
        let diagnostic = Diagnostic::error(Class::Usage, warning);
        tell(&Diagnostic { level: Level::Warning, ..diagnostic }, settings.manner);
    }
    let jobs = Jobs::new(store);
    let task = Arc::new(task);
    let begun = jobs.begin(|id| record(id, &task, &document)).map_err(failure)?;
    let (own, mut record) = begun;
    let log = own.log().map_err(failure)?;
    let style = settings.manner.style;
    let talks = settings.manner.verbosity > Verbosity::Quiet;
    if talks && let Some(why) = &record.not_remembered {
        let text = format!("job {}; it is not remembered, because {why}", record.id);
        writeln!(say, "{}", style.verb(Role::Guide, "Running", text))?;
    }
    record.status = Status::Running;
    record.started = Some(unix_ms());
    jobs.note(&own, &record).map_err(failure)?;
    let mut wrote = |bytes: &[u8]| {
        if args.logs {
            // Where nobody reads there is nobody to tell; the log has it.
            let _ = say.write_all(bytes).and_then(|()| say.flush());
        }
    };
    let end = perform(
        task.clone(),
        &own,
        log,
        Surroundings {
            store,
            worker: session::worker()?,
            sandbox: settings.sandbox,
            cancel: &cancel,
            rerun: args.rerun,
            wrote: &mut wrote,
        },
    );
    let JobEnd { status, reason, remembered, failure: trouble, nobody_reads } = end;
    record.status = status;
    record.status_reason.clone_from(&reason);
    record.finished = Some(unix_ms());
    record.remembered = remembered;
    jobs.note(&own, &record).map_err(failure)?;
    drop(own);
    for id in passing {
        // Litter at worst, which has a tag.
        let _ = Buffers::new(store).purge(&id);
    }
    if nobody_reads {
        return Err(Stop::NobodyReads);
    }
    if let Some(trouble) = trouble {
        return Err(trouble.into());
    }
    if talks && remembered {
        let text = format!("job {}; `--rerun` runs it again", record.id);
        writeln!(say, "{}", style.verb(Role::Good, "Remembered", text))?;
    }
    if streams == Streams::Made {
        print::json(&shown(&record), out)?;
    }
    if status == Status::Succeeded {
        return Ok(Exit::SUCCESS);
    }
    let reason = reason.unwrap_or_default();
    let text = format!("job {}: {reason}; `wake job logs {}`", record.id, record.id);
    writeln!(say, "{}", style.verb(Role::Bad, "Failed", text))?;
    Ok(Exit(JOB_FAILED))
}

/// The run that a document and flags say together; what is typed is set over what the document says.
fn document(args: &JobArgs, settings: &Settings) -> Result<RunDocument, Stop> {
    let named = args.name.as_ref().or(args.codespec.as_ref());
    let mut reference = named
        .map(|name| name.parse::<CodespecReference>())
        .transpose()
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()))?;
    match (&mut reference, args.version) {
        (Some(reference), version) => reference.version = version.or(reference.version),
        (None, Some(_)) => {
            let message = "`--version` says which version of a codespec, and none is named";
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
        (None, None) => {}
    }
    let mut run = match (&args.file, reference) {
        (Some(file), reference) => {
            let mut run = codespecs::read(file, settings)?.run(settings)?;
            if let Some(reference) = reference {
                run.set_codespec(reference);
            }
            run
        }
        (None, Some(reference)) => RunDocument::of(reference),
        (None, None) => {
            let message = "nothing says what is to be run";
            return Err(Diagnostic::error(Class::Usage, message)
                .help("name a codespec, or a document: `--file FILE`")
                .into());
        }
    };
    for text in &args.buffers {
        let usage = |message: String| Diagnostic::error(Class::Usage, message);
        let (name, id) = text
            .split_once('=')
            .ok_or_else(|| usage(format!("`--buffer {text}`: expected `NAME=ID`")))?;
        let argument =
            argument(id).map_err(|error| usage(format!("`--buffer {text}`: {error}")))?;
        run.set_argument(name, argument);
    }
    let over =
        |error: wake_model::buffer::TagError| Diagnostic::error(Class::Usage, error.to_string());
    run.job.tags = merged(&run.job.tags, &tags(&args.buffer_tags)?).map_err(over)?;
    run.tags = merged(&run.tags, &tags(&args.tags)?).map_err(over)?;
    run.job.buffer_ttl = args.buffer_ttl.or(run.job.buffer_ttl);
    if let Some(timeout) = args.timeout {
        run.timeout = timeout.as_secs().max(1);
    }
    Ok(run)
}

fn record(id: u64, task: &Task, run: &RunDocument) -> JobRecord {
    let name = |id: Option<&wake_model::BufferId>| {
        id.map_or_else(|| "_".to_owned(), |id| id.as_str().to_owned())
    };
    let inputs = task.inputs.iter().map(|(of, end)| match end {
        InputEnd::Buffer(id, _) => (of.to_string(), name(Some(id))),
        InputEnd::Standard => (of.to_string(), name(None)),
    });
    let outputs = task.outputs.iter().map(|(of, end)| (of.to_string(), name(end.buffer.as_ref())));
    JobRecord {
        id,
        status: Status::Pending,
        status_reason: None,
        created: unix_ms(),
        started: None,
        finished: None,
        codespec: task.label.clone(),
        content_id: task.codespec.id().to_string(),
        buffers: inputs.chain(outputs).collect(),
        tags: run.tags.clone(),
        timeout_seconds: run.timeout,
        remembered: false,
        not_remembered: task.why_forgotten(),
    }
}

fn shown(job: &JobRecord) -> Value {
    let time = |moment: Option<u64>| moment.map(rfc3339);
    json!({
        "id": job.id,
        "status": job.status,
        "statusReason": job.status_reason,
        "createdAt": rfc3339(job.created),
        "startedAt": time(job.started),
        "finishedAt": time(job.finished),
        "job": {"codespec": job.codespec, "contentId": job.content_id, "buffers": job.buffers},
        "tags": job.tags,
        "timeoutSeconds": job.timeout_seconds,
        "remembered": job.remembered,
        "notRemembered": job.not_remembered,
    })
}

fn unprepared(error: PrepareError) -> Stop {
    match error {
        PrepareError::Codespec(error) => codespecs::failure(error).into(),
        PrepareError::Document(error) => wrong(error, Level::Error).into(),
        PrepareError::Image(error) => {
            let help = "or run it on something else: `--rootfs DIR`, `--rootfs host`";
            image_failure(&error).help(help).into()
        }
        PrepareError::Buffer(error) => buffer_failure(error).into(),
        PrepareError::Refused(diagnostic) => (*diagnostic).into(),
    }
}

fn failure(error: JobsError) -> Diagnostic {
    match error {
        JobsError::NotFound(_) => Diagnostic::error(Class::Nothing, error.to_string())
            .help("`wake job list` has those that there are"),
        JobsError::Damaged { .. } => Diagnostic::error(Class::Integrity, error.to_string()),
        JobsError::Store(error) => store_failure(&error),
    }
}
