//! Scheduling: every step as soon as what it needs is done, the longest known way first.
//!
//! One thread owns all state and speaks to the reporter; others perform steps and answer through one
//! channel.
//!
//! | file | does |
//! |---|---|
//! | `progress`, `told` | the one thread: which step is next, what the reporter is told |
//! | `perform`, `busy` | the others: one step; no key twice at a time |
#![expect(clippy::disallowed_methods, reason = "how long things take is told and remembered")]

mod busy;
mod perform;
mod progress;
mod told;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use wake_exec::Scheduling;
use wake_model::ActionDigest;

use self::busy::Busy;
use self::perform::Performed;
use self::progress::Progress;
use crate::diagnostic::{Class, Diagnostic};
use crate::event::{Counts, Reporter};
use crate::execute::Runner;
use crate::history::History;
use crate::pin::{Done, Pinned};

/// What a build is told beside its plan.
pub(crate) struct Rules {
    /// How many steps are performed at once.
    pub jobs: usize,
    /// Whether steps go on after one has failed.
    pub keep_going: bool,
    /// Whether steps that targets name run although they are remembered.
    pub rebuild: bool,
}

/// What is to be performed: steps by number, each with those that it needs.
pub(crate) trait Steps: Sync {
    /// The numbers of the steps, dependencies first; all below [`Steps::bound`].
    fn order(&self) -> &[usize];
    /// A number above that of every step.
    fn bound(&self) -> usize;
    /// The steps among [`Steps::order`] that a step needs, each once.
    fn needs(&self, step: usize) -> Vec<usize>;
    /// What a person calls it.
    fn label(&self, step: usize) -> &str;
    /// Whether a target names it.
    fn is_requested(&self, step: usize) -> bool;
    /// Pins a step, all of whose needs are done.
    fn pin(&self, step: usize) -> Result<Pinned, Box<Diagnostic>>;
    /// Takes what a step left behind; called before any step that needs it is pinned.
    fn done(&self, step: usize, kept: Kept<'_>);
}

/// What came of a step that is done.
pub(crate) struct Kept<'a> {
    /// The step's action.
    pub(crate) pinned: &'a Pinned,
    /// Its key.
    pub(crate) key: ActionDigest,
    /// What it left behind.
    pub(crate) done: Done,
    /// How long its command took, in milliseconds.
    pub(crate) dur_ms: u64,
}

/// Carries out a plan.
pub(crate) struct Schedule<'a> {
    /// What is to be performed.
    pub steps: &'a dyn Steps,
    /// Runs actions.
    pub runner: &'a Runner<'a>,
    /// Last keys and durations.
    pub history: &'a History,
    /// How to go about it.
    pub rules: Rules,
    /// When the build began.
    pub started: Instant,
    /// Keys of actions that are being performed.
    busy: Busy,
    /// Steps whose commands have begun, of which their owner is told when something wakes it.
    begun: Mutex<Vec<Begun>>,
}

/// A step whose command has begun.
struct Begun {
    step: usize,
    key: ActionDigest,
    at: Instant,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The steps by what became of them.
    pub counts: Counts,
    /// Classes of failure.
    pub classes: Vec<Class>,
    /// The key and the duration of each step that is done.
    pub keys: Vec<(usize, ActionDigest, u64)>,
    /// Processor milliseconds that remembered results once cost.
    pub saved_ms: u64,
}

/// What a thread that performs steps tells the one that owns their state.
enum Message {
    Warning(Box<Diagnostic>),
    Finished { step: usize, result: Box<Performed> },
}

impl<'a> Schedule<'a> {
    /// A schedule that has not begun.
    pub(crate) fn new(
        steps: &'a dyn Steps,
        runner: &'a Runner<'a>,
        history: &'a History,
        rules: Rules,
        started: Instant,
    ) -> Self {
        let (busy, begun) = (Busy::default(), Mutex::default());
        Schedule { steps, runner, history, rules, started, busy, begun }
    }

    /// Performs every step, telling `reporter` of each.
    pub(crate) fn run(&self, reporter: &mut dyn Reporter) -> Outcome {
        let (sender, receiver) = unbounded();
        let (next, steps) = unbounded();
        let scheduling = Scheduling::of_thread().map(|own| own.as_batch());
        std::thread::scope(|scope| {
            let mut threads = 0;
            let start = |step: usize, ready: Instant| {
                // A thread that cannot be started leaves its steps to the others.
                if threads < self.in_hand() {
                    let (sender, steps) = (sender.clone(), steps.clone());
                    let name = format!("step-{threads}");
                    let own = scheduling.as_ref().map(|all| self.dealt_out(all, threads));
                    let work = move || {
                        own.iter().for_each(Scheduling::apply);
                        steps.iter().for_each(|(step, ready)| self.perform(step, ready, &sender));
                    };
                    let started = std::thread::Builder::new().name(name).spawn_scoped(scope, work);
                    threads += usize::from(started.is_ok());
                }
                if threads == 0 {
                    // There are no others: one step after the other, by the thread that is there.
                    return self.perform(step, ready, &sender);
                }
                let _ = next.send((step, ready));
            };
            let outcome = Progress::new(self, reporter).drive(&receiver, start);
            drop(next);
            outcome
        })
    }

    /// How many steps are in hand at once: as many as there are commands running, and as many that are
    /// got ready or put away.
    fn in_hand(&self) -> usize {
        2 * self.rules.jobs
    }

    /// How many are given out at once: some wait in line, so that no thread has to wait for the next.
    fn given_out(&self) -> usize {
        3 * self.rules.jobs
    }

    /// How one of the threads that perform steps is scheduled, and its worker: kept to one processor, unless there are
    /// fewer commands at once than processors, so that the kernel is to choose among those that are free.
    fn dealt_out(&self, all: &Scheduling, number: usize) -> Scheduling {
        if all.processors() <= self.rules.jobs { all.on_one(number) } else { all.clone() }
    }

    /// Notes that the command of `step` begins.
    fn begins(&self, step: usize, key: ActionDigest) {
        self.begun().push(Begun { step, key, at: Instant::now() });
    }

    fn begun(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
