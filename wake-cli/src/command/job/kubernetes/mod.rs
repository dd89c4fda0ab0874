//! Jobs that a cluster of Kubernetes runs: a process of this machine attends to each, which keeps what the cluster says of it and what it writes.
//!
//! Where that process is gone, whoever asks for the job does the same for a moment.

mod refusal;
mod submission;
mod lines;
mod logs;
mod attendance;
mod attend;

use wake_job::record::{JobsError, SentJob};
use wake_store::Store;

pub(super) use self::attend::attend;
pub(super) use self::submission::{possible, submit};

use self::attendance::Attendance;
use super::failure;
use super::said::Said;
use crate::exit::Stop;
use crate::settings::Settings;

/// What a cluster says of a job; what it has written meanwhile is kept.
pub(super) fn look(
    store: &Store,
    settings: &Settings,
    id: u64,
    sent: &SentJob,
) -> Result<Said, JobsError> {
    match Attendance::of_moment(store, settings, id, sent)? {
        Some(mut attendance) => attendance.step(),
        // Another process has begun to attend to it, which says what there is.
        None => Ok(Said::Goes(None)),
    }
}

/// Has a cluster end a job.
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
        let help =
            "run `wake job show` again later: the job is cancelled as soon as Kubernetes answers";
        refusal::refusal(error).help(help).into()
    })
}
