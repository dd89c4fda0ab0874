//! Combines the outcomes of the processes that run together into the outcome of the job.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wake_model::{ActionDigest, Outcome, Usage};
use wake_steps::diagnostic::Diagnostic;
use wake_steps::engine::Performance;
use wake_steps::error::StepError;
use wake_steps::{Cancel, clock};

use crate::crew::News;
use crate::task::Task;

/// Why a job was stopped, or what its reason refers to.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A stream to or from it broke off.
    Stream(Box<Diagnostic>),
    /// Standard output was closed by its reader.
    NobodyReads,
    /// A worker keeps ending.
    Worker(String),
    /// This replica, one of several, did not succeed.
    Replica(usize),
}

/// The first trouble of a job.
#[derive(Clone, Debug, Default)]
pub(crate) struct TroubleSlot(Arc<Mutex<Option<Trouble>>>);

impl TroubleSlot {
    pub(crate) fn note(&self, trouble: Trouble) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(trouble);
    }

    pub(crate) fn get(&self) -> Option<Trouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The number of worker restarts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restarts(Arc<AtomicU32>);

impl Restarts {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The action that was performed.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActionSlot(Arc<Mutex<Option<ActionDigest>>>);

impl ActionSlot {
    pub(crate) fn note(&self, action: ActionDigest) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(action);
    }

    pub(crate) fn get(&self) -> Option<ActionDigest> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time at which a job must end.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn of(task: &Task) -> Self {
        Deadline(clock::now().checked_add(Duration::from_secs(task.timeout)))
    }

    pub(crate) fn is_past(self) -> bool {
        self.0.is_some_and(|deadline| clock::now() >= deadline)
    }
}

/// The outcomes of the processes that run together.
pub(crate) struct Tally<'a> {
    task: &'a Task,
    trouble: &'a TroubleSlot,
    restarts: &'a Restarts,
    /// Milliseconds since 1970.
    now: u64,
    stop: &'a Cancel,
    /// The number of replicas that have not ended.
    left: usize,
    /// The number of sockets with data outstanding.
    open_sockets: usize,
    /// Whether the replicas are being stopped because all data has passed through their sockets.
    is_through: bool,
    /// Whether they are being stopped because of the deadline.
    pub(crate) is_late: bool,
    performed: Option<Result<Performance, StepError>>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(
        task: &'a Task,
        (trouble, restarts): (&'a TroubleSlot, &'a Restarts),
        now: u64,
        stop: &'a Cancel,
    ) -> Self {
        let (replicas, _) = task.sizes();
        let open_sockets = replicas * task.codespec.sockets().len();
        let (is_through, is_late, performed) = (false, false, None);
        Tally {
            task,
            trouble,
            restarts,
            now,
            stop,
            left: replicas,
            open_sockets,
            is_through,
            is_late,
            performed,
        }
    }

    /// Stops all processes.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn hear(&mut self, news: News) {
        match news {
            News::Wrote(..) => {}
            News::Restarted => self.restarts.add_one(),
            News::Ended(replica, ended) => self.ended(replica, *ended),
            News::GaveUp(how) => {
                self.trouble.note(Trouble::Worker(how));
                self.stop.cancel();
            }
            News::SocketDone => {
                self.open_sockets -= 1;
                // A job that also writes pipes ends by itself.
                let task = self.task;
                let mut outputs = task.outputs.iter();
                if self.open_sockets == 0 && outputs.all(|(name, _)| !task.is_piped(name)) {
                    self.is_through = true;
                    self.stop.cancel();
                }
            }
        }
    }

    fn ended(&mut self, replica: usize, ended: Result<Performance, StepError>) {
        self.left -= 1;
        let ended = match ended {
            Err(StepError::Cancelled) if self.is_through => {
                Ok(ended_as(Outcome::Exited(0), self.now))
            }
            Err(StepError::Cancelled) if self.is_late => Ok(ended_as(Outcome::TimedOut, self.now)),
            ended => ended,
        };
        let is_success = |ended: &Result<Performance, StepError>| {
            ended.as_ref().is_ok_and(|performance| performance.outcome.is_success())
        };
        // The first replica that did not succeed determines the outcome.
        if self.performed.as_ref().is_none_or(is_success) {
            if !is_success(&ended) {
                if ended.is_ok() && self.task.replicas > 1 {
                    let number = self.task.own.start as usize + replica;
                    self.trouble.note(Trouble::Replica(number));
                }
                self.stop.cancel();
            }
            self.performed = Some(ended);
        }
        if self.left == 0 {
            // The workers end with their job.
            self.stop.cancel();
        }
    }

    pub(crate) fn performed(self) -> Result<Performance, StepError> {
        self.performed.unwrap_or(Err(StepError::Cancelled))
    }
}

/// Returns the result of a replica that was stopped by wake.
pub(crate) fn ended_as(outcome: Outcome, now: u64) -> Performance {
    Performance {
        began_ms: now,
        outcome,
        usage: Usage::default(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        depfile: None,
        report: None,
        overhead: Duration::ZERO,
        left: Ok(None),
    }
}
