//! The process that attends to a job in a cluster until the job ends.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wake_job::jobs::{JobsError, OwnJob};
use wake_job::record::SentJob;
use wake_steps::clock::now;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use super::super::detached::{detach, handed};
use super::super::said::Said;
use super::super::{LOOK, failure};
use super::attendance::Attendance;
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;

/// The interval between queries to a cluster, initially and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// `wake job attend`: takes over a job submitted to a cluster, and records its status.
pub(in super::super) fn attend(id: u64, store: &Arc<Store>, settings: &Settings) -> Outcome {
    let (own, sent) = handed(id, store)?;
    detach().map_err(|error| {
        let message = format!("cannot detach job `{id}`: {error}");
        Diagnostic::error(Class::Environment, message)
    })?;
    to_its_end(store, settings, (&own, id), &sent).map_err(failure)?;
    Ok(Exit::SUCCESS)
}

fn to_its_end(
    store: &Store,
    settings: &Settings,
    (own, id): (&OwnJob, u64),
    sent: &SentJob,
) -> Result<(), JobsError> {
    let mut attendance = Attendance::of_process(store, settings, own, id, sent)?;
    let (mut pause, mut last) = (PAUSES.0, None);
    loop {
        let said = attendance.step()?;
        if matches!(said, Said::Ended(..)) {
            return Ok(());
        }
        pause = match last.as_ref() == Some(&said) {
            true => (pause * 2).min(PAUSES.1),
            false => PAUSES.0,
        };
        last = Some(said);
        wait(&attendance, own, pause);
    }
}

/// Waits for `pause`, or until there is news.
fn wait(attendance: &Attendance<'_>, own: &OwnJob, pause: Duration) {
    let begun = now();
    let was_cancelled = own.why_cancelled().is_some();
    // A job being cancelled ends soon.
    let pause = if was_cancelled { PAUSES.0 } else { pause };
    let mut had_news = attendance.has_news();
    while begun.elapsed() < pause {
        thread::sleep(LOOK);
        let has_news = attendance.has_news();
        if own.why_cancelled().is_some() != was_cancelled || (has_news && !had_news) {
            return;
        }
        had_news = has_news;
    }
}
