//! `wake job`: runs of codespecs, locally and on remote engines.

mod document;
mod pipes;
mod carry_out;
mod manifest;
mod ready;
mod said;
mod detached;
mod slurm;
mod kubernetes;
mod engines;
mod known;
mod sending;
mod follow;
mod replica;
mod elsewhere;

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wake_job::jobs::{Jobs, JobsError};
use wake_job::log_reader::LogReader;
use wake_job::moment::rfc3339;
use wake_job::options::Streams;
use wake_job::record::{BY_USER, JobRecord, SentJob, Status};
use wake_job::replica::ReplicaRecord;
use wake_job::replicas::Replicas;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;

use self::known::Known;
use crate::args::JobCommand;
use crate::command::buffer::tags;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;

/// The exit code for a failed job.
const JOB_FAILED: u8 = 1;
/// The polling interval for a job's status.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a `wake job` subcommand.
pub(crate) fn run(
    command: &JobCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let store = Arc::new(session::store(settings)?);
    let (jobs, mut known) = (Jobs::new(&store), Known::new(&store, settings));
    match command {
        JobCommand::Exec(args) => {
            elsewhere::carry_out(args, Streams::Standard, &store, settings, out, say)
        }
        JobCommand::Run(args) => {
            elsewhere::carry_out(args, Streams::Made, &store, settings, out, say)
        }
        JobCommand::Create(args) => elsewhere::create(args, &store, settings, out),
        JobCommand::Manifest { job, name } => {
            manifest::print(job, name.as_ref(), &store, settings, out)
        }
        JobCommand::Pipes(command) => pipes::run(command, settings),
        JobCommand::Perform { id, replica: None, graphics, .. } => {
            detached::perform(*id, graphics.as_ref(), &store, settings)
        }
        JobCommand::Perform { id, replica: Some(number), node, graphics } => {
            replica::perform((*id, *number), (node.clone(), graphics.as_ref()), &store, settings)
        }
        JobCommand::Attend { id } => kubernetes::attend(*id, &store, settings),
        JobCommand::Show { id } => show(&jobs, *id, &mut known, out),
        JobCommand::List { tags: wanted, limit } => {
            let wanted = tags(wanted)?;
            let all = known.list(&wanted, limit.unwrap_or(usize::MAX)).map_err(failure)?;
            let all = all.iter().map(|job| shown(job, jobs));
            print::json(&all.collect::<Result<Vec<Value>, Diagnostic>>()?, out)
        }
        JobCommand::Logs { id, follow } => logs(&jobs, &mut known, *id, *follow, out),
        JobCommand::Watch { id } => watch(&jobs, &mut known, *id, out),
        JobCommand::Cancel { id } => {
            if !jobs.cancel(*id, BY_USER).map_err(failure)? {
                let message = format!("job `{id}` has already ended");
                return Err(Diagnostic::error(Class::Usage, message).into());
            }
            engines::cancel(&store, settings, *id)?;
            // It has ended only when its processes are gone.
            while !known.get(*id).map_err(failure)?.status.is_last() {
                thread::sleep(LOOK);
            }
            show(&jobs, *id, &mut known, out)
        }
    }
}

fn show(jobs: &Jobs<'_>, id: u64, known: &mut Known<'_>, out: &mut impl Write) -> Outcome {
    let job = known.get(id).map_err(failure)?;
    print::json(&shown(&job, *jobs)?, out)
}

fn logs(
    jobs: &Jobs<'_>,
    known: &mut Known<'_>,
    id: u64,
    follow: bool,
    out: &mut impl Write,
) -> Outcome {
    // If no process records the job's output, this query does.
    known.get(id).map_err(failure)?;
    let mut log = LogReader::new(*jobs, id).map_err(failure)?;
    loop {
        // In this order, so that everything written before the end is read.
        let is_over = !follow || known.get(id).map_err(failure)?.status.is_last();
        let bytes = log.piece().map_err(failure)?;
        out.write_all(&bytes)?;
        if bytes.is_empty() {
            out.flush()?;
            if is_over {
                return Ok(Exit::SUCCESS);
            }
            thread::sleep(LOOK);
        }
    }
}

fn watch(jobs: &Jobs<'_>, known: &mut Known<'_>, id: u64, out: &mut impl Write) -> Outcome {
    let mut last = None;
    loop {
        let job = known.get(id).map_err(failure)?;
        if last.as_ref() != Some(&(job.status, job.status_reason.clone())) {
            writeln!(out, "{}", shown(&job, *jobs)?)?;
            out.flush()?;
            last = Some((job.status, job.status_reason.clone()));
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

fn shown(job: &JobRecord, jobs: Jobs<'_>) -> Result<Value, Diagnostic> {
    let time = |moment: Option<u64>| moment.map(rfc3339);
    let mut shown = json!({
        "id": job.id,
        "status": job.status,
        "statusReason": job.status_reason,
        "createdAt": rfc3339(job.created),
        "startedAt": time(job.started),
        "finishedAt": time(job.finished),
        "job": {
            "codespec": job.codespec,
            "contentId": job.content_id,
            "buffers": job.buffers,
            "replicas": job.replicas,
        },
        "worker": job.worker,
        "tags": job.tags,
        "timeoutSeconds": job.timeout_seconds,
        "remembered": job.remembered,
        "notRemembered": job.not_remembered,
    });
    if let Some(SentJob { engine, id, .. }) = jobs.sent(job.id).map_err(failure)? {
        shown["engine"] = json!({"name": engine, "id": id});
    }
    if let Some(replicas) = Replicas::of(jobs, job.id).map_err(failure)? {
        let all = (0..).zip(replicas.all().map_err(failure)?);
        shown["replicas"] = all.map(|(number, one)| shown_replica(number, &one)).collect();
    }
    Ok(shown)
}

fn shown_replica(number: u32, replica: &ReplicaRecord) -> Value {
    json!({
        "number": number,
        "status": replica.status,
        "statusReason": replica.status_reason,
        "node": replica.node,
        "startedAt": replica.started.map(rfc3339),
        "finishedAt": replica.finished.map(rfc3339),
    })
}

fn failure(error: JobsError) -> Diagnostic {
    match error {
        JobsError::NotFound(_) => Diagnostic::error(Class::Nothing, error.to_string())
            .help("run `wake job list` to list the jobs"),
        JobsError::Damaged { .. } => Diagnostic::error(Class::Integrity, error.to_string()),
        JobsError::Store(error) => store_failure(&error),
    }
}
