//! Jobs in a Kubernetes cluster. A local process attends to each, recording its status and its log.
//!
//! If that process is gone, each query for the job does so once.

mod refusal;
mod submission;
mod lines;
mod logs;
mod attendance;
mod attend;

use wake_job::jobs::JobsError;
use wake_job::record::SentJob;
use wake_store::Store;

pub(super) use self::attend::attend;
pub(super) use self::submission::{possible, submit};

use self::attendance::Attendance;
use super::failure;
use super::said::Said;
use crate::exit::Stop;
use crate::settings::Settings;

/// Queries a cluster about a job, and records its new output.
pub(super) fn look(
    store: &Store,
    settings: &Settings,
    id: u64,
    sent: &SentJob,
) -> Result<Said, JobsError> {
    match Attendance::of_moment(store, settings, id, sent)? {
        Some(mut attendance) => attendance.step(),
        // Another process now attends to the job and records its status.
        None => Ok(Said::Goes(None)),
    }
}

/// Cancels a job in a cluster.
pub(super) fn cancel(
    store: &Store,
    settings: &Settings,
    id: u64,
    sent: &SentJob,
) -> Result<(), Stop> {
    let Some(attendance) = Attendance::of_moment(store, settings, id, sent).map_err(failure)?
    else {
        return Ok(());
    };
    attendance.delete().map_err(|error| {
        let help = format!(
            "run `wake job show {id}` later: the job is cancelled as soon as Kubernetes answers"
        );
        refusal::refusal(error).help(help).into()
    })
}
