//! Workers, which run as long as their job does: one that ends is started again, as Tyger has it, and one that ends again and again is
//! the end of the job.

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

/// What those who run together tell.
pub(crate) enum News {
    /// One of them, by its number, has written something.
    Wrote(usize, Stream, Vec<u8>),
    /// A replica of the job has ended.
    Ended(usize, Box<Result<Performance, StepError>>),
    /// A worker is started again.
    Restarted,
    /// A worker does not stay; with how it ended last.
    GaveUp(String),
    /// All that is to go through a socket has done so.
    SocketDone,
}

/// So often a worker is started again.
const RESTARTS: u32 = 5;
/// How long is waited before the first time; twice as long before each next one.
const PAUSE: Duration = Duration::from_millis(100);

/// What members are run with.
pub(crate) struct Ground<'a> {
    pub(crate) here: &'a Here,
    pub(crate) sources: &'a dyn SourceFiles,
    pub(crate) profile: &'a Profile,
    /// Ends all of them.
    pub(crate) stop: &'a Cancel,
    pub(crate) slots: &'a Slots,
}

impl Ground<'_> {
    /// Runs a member once; `number` is that under which it tells what it writes.
    pub(crate) fn run(
        &self,
        member: &Member,
        number: usize,
        tell: &SyncSender<News>,
    ) -> Result<Performance, StepError> {
        let Ground { here, sources, profile, stop, slots } = *self;
        let mut wrote = |stream: Stream, bytes: &[u8]| {
            // Nobody hears it any more where all is over.
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

    /// Keeps a worker running until all is over.
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
            // In this order: whoever hears the line knows of it.
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

/// How a worker ended, as the state of a job says it.
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

/// Waits until every worker of a job listens at each of its ports; false if all is over before.
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
