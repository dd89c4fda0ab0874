//! Workers, which run as long as their job does. As in Tyger, a worker that ends is restarted; one that keeps ending ends the job.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use wake_exec::{Networks, Stream};
use wake_model::Outcome;
use wake_steps::Cancel;
use wake_steps::engine::{Engine as _, EngineRequest, Performance};
use wake_steps::error::StepError;
use wake_steps::here::Here;
use wake_steps::profile::Profile;
use wake_steps::slots::Slots;
use wake_steps::step::SourceFiles;

use crate::flow::LOOK;
use crate::members::Member;
use crate::task::Task;

/// A report from one of the processes that run together.
pub(crate) enum News {
    /// A process, by its number, has written something.
    Wrote(usize, Stream, Vec<u8>),
    /// A replica of the job has ended.
    Ended(usize, Box<Result<Performance, StepError>>),
    /// A worker is being restarted.
    Restarted,
    /// A worker keeps ending; with how it ended last.
    GaveUp(String),
    /// All data of a socket has passed through.
    SocketDone,
}

/// The number of times a worker is restarted.
const RESTARTS: u32 = 5;
/// The pause before the first restart; it doubles with each restart.
const PAUSE: Duration = Duration::from_millis(100);

/// The environment in which members run.
pub(crate) struct Ground<'a> {
    pub(crate) here: &'a Here,
    pub(crate) sources: &'a dyn SourceFiles,
    pub(crate) profile: &'a Profile,
    /// Stops all of them.
    pub(crate) stop: &'a Cancel,
    pub(crate) slots: &'a Slots,
}

impl Ground<'_> {
    /// Runs a member once; it reports its output under `number`.
    pub(crate) fn run(
        &self,
        member: &Member,
        number: usize,
        tell: &SyncSender<News>,
    ) -> Result<Performance, StepError> {
        let Ground { here, sources, profile, stop, slots } = *self;
        let mut wrote = |stream: Stream, bytes: &[u8]| {
            // At the end nobody receives it.
            let _ = tell.send(News::Wrote(number, stream, bytes.to_vec()));
        };
        here.perform(EngineRequest {
            pinned: &member.pinned,
            sources,
            cancel: stop,
            profile,
            turn: &mut || slots.take(1),
            wrote: &mut wrote,
        })
    }

    /// Keeps a worker running until everything is over.
    pub(crate) fn keep(&self, member: &Member, number: usize, tell: &SyncSender<News>) {
        for restarts in 0..=RESTARTS {
            let ended = self.run(member, number, tell);
            if self.stop.is_cancelled() {
                return;
            }
            let how = how(&member.name, &ended);
            if restarts == RESTARTS {
                let _ = tell.send(News::GaveUp(how));
                return;
            }
            // In this order: when the line is received, the restart has been counted.
            let _ = tell.send(News::Restarted);
            let line = format!("{how}; restarting it\n").into_bytes();
            let _ = tell.send(News::Wrote(number, Stream::Stderr, line));
            let mut left = PAUSE * 2_u32.pow(restarts);
            while !left.is_zero() && !self.stop.is_cancelled() {
                thread::sleep(LOOK.min(left));
                left = left.saturating_sub(LOOK);
            }
        }
    }
}

/// Describes how a worker ended, as a status reason.
fn how(name: &str, ended: &Result<Performance, StepError>) -> String {
    let number = name.strip_prefix("worker-").unwrap_or(name);
    match ended {
        Ok(performance) => match performance.outcome {
            Outcome::Exited(code) => format!("Worker {number} exited with code {code}"),
            Outcome::Signaled(signal) => format!("Worker {number} was killed by signal {signal}"),
            Outcome::OutOfMemory => format!("Worker {number} exceeded its memory limit"),
            Outcome::TimedOut => format!("Worker {number} exceeded its time limit"),
        },
        Err(error) => format!("Worker {number} could not be run: {error}"),
    }
}

/// Waits until every worker of a job listens on each of its ports; false if the job is stopped first.
pub(crate) fn all_listen(task: &Task, networks: &Networks, stop: &Cancel) -> std::io::Result<bool> {
    let (replicas, workers) = task.sizes();
    for worker in 0..workers {
        for (_, port) in task.endpoints() {
            while !networks.is_listening(replicas + worker, port)? {
                if stop.is_cancelled() {
                    return Ok(false);
                }
                thread::sleep(LOOK);
            }
        }
    }
    Ok(!stop.is_cancelled())
}
