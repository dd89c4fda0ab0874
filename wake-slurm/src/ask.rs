//! Requests to Slurm.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::error::SlurmError;
use crate::id::SlurmId;
use crate::programs::run;
use crate::state::{SlurmJob, job, tasks};
use crate::submission::{Site, Submission, arguments, script};

/// Submits a program and returns its job id.
pub fn submit(submission: &Submission, site: &Site) -> Result<SlurmId, SlurmError> {
    let answer = run("sbatch", arguments(submission, site), &script(submission))?;
    let strange = || SlurmError::Strange { program: "sbatch", said: answer.trim().to_owned() };
    answer.lines().last().and_then(|line| line.trim().parse().ok()).ok_or_else(strange)
}

/// Returns the state of a job.
///
/// Blocks for as long as `scontrol` waits for a controller that cannot be reached.
pub fn look(id: &SlurmId) -> Result<SlurmJob, SlurmError> {
    let answer = show(id)?;
    let strange = || SlurmError::Strange { program: "scontrol", said: answer.trim().to_owned() };
    answer.lines().next().and_then(job).ok_or_else(strange)
}

/// Returns the states of an array job's tasks by number; tasks that ended long ago are missing.
pub fn look_at_tasks(id: &SlurmId) -> Result<BTreeMap<u32, SlurmJob>, SlurmError> {
    let answer = show(id)?;
    let lines = answer.lines().filter_map(tasks);
    let each = |(numbers, job): (Vec<u32>, SlurmJob)| {
        numbers.into_iter().map(move |number| (number, job.clone()))
    };
    let all: BTreeMap<u32, SlurmJob> = lines.flat_map(each).collect();
    match all.is_empty() {
        true => Err(SlurmError::Strange { program: "scontrol", said: answer.trim().to_owned() }),
        false => Ok(all),
    }
}

fn show(id: &SlurmId) -> Result<String, SlurmError> {
    let mut args: Vec<OsString> = vec!["--oneliner".into()];
    args.extend(of_cluster(id));
    args.extend(["show".into(), "job".into(), id.number().to_string().into()]);
    run("scontrol", args, b"").map_err(|error| of_job(error, id))
}

/// Cancels a job; has no effect on one that has ended.
pub fn cancel(id: &SlurmId) -> Result<(), SlurmError> {
    end(id, None)
}

/// Cancels the tasks of a job that have not started.
pub fn cancel_waiting(id: &SlurmId) -> Result<(), SlurmError> {
    end(id, Some("--state=PENDING"))
}

fn end(id: &SlurmId, which: Option<&str>) -> Result<(), SlurmError> {
    let mut args: Vec<OsString> = vec!["--quiet".into()];
    args.extend(which.map(Into::into));
    args.extend(of_cluster(id));
    args.push(id.number().to_string().into());
    match run("scancel", args, b"").map_err(|error| of_job(error, id)) {
        Ok(_) | Err(SlurmError::Unknown(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn of_cluster(id: &SlurmId) -> Option<OsString> {
    id.cluster().map(|cluster| format!("--clusters={cluster}").into())
}

fn of_job(error: SlurmError, id: &SlurmId) -> SlurmError {
    match error {
        SlurmError::Unknown(_) => SlurmError::Unknown(id.number().to_string()),
        error => error,
    }
}
