//! Scheduling: every step as soon as its dependencies are done, the longest known chain first.
//!
//! One thread owns all state and talks to the reporter; the others perform steps and reply through one
//! channel.
//!
//! | file | does |
//! |---|---|
//! | `busy` | no key twice at a time |
//! | `perform` | the threads that perform steps: one step |
//! | `progress` | the owning thread: what is reported, which step is next |

mod busy;
mod perform;
mod progress;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::unbounded;
use wake_exec::Scheduling;
use wake_model::ActionDigest;

use self::busy::Busy;
use self::perform::StepOutcome;
use self::progress::Progress;
use crate::cancel::Cancel;
use crate::clock;
use crate::diagnostic::Class;
use crate::event::{Counts, Event, Reporter};
use crate::history::History;
use crate::machine::Machine;
use crate::results::Results;
use crate::slots::Slots;
use crate::step::{SourceFiles, StepId};
use crate::steps::Steps;
use crate::wares::Wares;

/// How steps are scheduled.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulePolicy {
    /// Whether other steps continue after one has failed.
    pub keep_going: bool,
    /// Whether requested steps run even if they are remembered.
    pub rebuild: bool,
    /// How often each requested test runs; it passes if it passes each time. Zero means one.
    pub runs: u32,
    /// How often a test is retried after a failure; none: the test decides.
    pub retries: Option<u32>,
}

/// Steps, with all that they are performed with.
pub struct Batch<'a> {
    /// The steps to perform.
    pub steps: &'a dyn Steps,
    /// Receives the outputs of the steps; holds the outputs that they need.
    pub results: &'a Results,
    /// Finds the files that steps name.
    pub sources: &'a dyn SourceFiles,
    /// Their last keys and durations.
    pub history: &'a History,
    /// How to schedule them.
    pub rules: SchedulePolicy,
    /// Stops the batch.
    pub cancel: &'a Cancel,
    /// When the run began.
    pub started: Instant,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub struct BatchResult {
    /// The steps, by how they ended.
    pub counts: Counts,
    /// The classes of failure.
    pub classes: Vec<Class>,
    /// The key and duration of each step that is done.
    pub keys: Vec<(StepId, ActionDigest, u64)>,
    /// Milliseconds that the commands of cached results originally took.
    pub saved_ms: u64,
}

/// A batch on a machine.
struct Schedule<'a> {
    work: &'a Batch<'a>,
    machine: &'a Machine,
    wares: Wares<'a>,
    slots: Slots,
    /// Keys of actions in progress.
    busy: Busy,
    /// Steps whose commands have begun, for the owning thread to report when it next wakes.
    begun: Mutex<Vec<CommandStart>>,
}

/// A step whose command has begun.
struct CommandStart {
    step: StepId,
    key: ActionDigest,
    at: Instant,
}

/// A message from a thread that performs steps to the one that owns their state.
enum Message {
    Said(Event),
    Ended { step: StepId, result: Box<StepOutcome> },
}

impl Machine {
    /// Performs every step and reports it to `reporter`.
    pub fn perform(&self, work: &Batch<'_>, reporter: &mut dyn Reporter) -> BatchResult {
        let schedule = Schedule {
            work,
            machine: self,
            wares: Wares::new(self.store(), work.cancel.meter()),
            slots: Slots::new(self.jobs(), !work.rules.keep_going),
            busy: Busy::default(),
            begun: Mutex::default(),
        };
        let ending = schedule.run(reporter);
        self.engine().rest();
        ending
    }
}

impl<'a> Schedule<'a> {
    fn run(&self, reporter: &mut dyn Reporter) -> BatchResult {
        let (sender, receiver) = unbounded();
        let (next, steps) = unbounded();
        let scheduling = Scheduling::of_thread().map(|own| own.as_batch());
        std::thread::scope(|scope| {
            let mut threads = 0;
            let start = |step: StepId, ready: Instant| {
                // If a thread cannot be started, the others do its work.
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
                    // Without any other thread, this one performs the steps one by one.
                    return self.perform(step, ready, &sender);
                }
                let _ = next.send((step, ready));
            };
            let ending = Progress::new(self, reporter).drive(&receiver, start);
            drop(next);
            ending
        })
    }

    /// Returns how many steps are in progress at once: as many as commands can run, and the same number being
    /// prepared or stored.
    fn in_hand(&self) -> usize {
        2 * self.machine.jobs()
    }

    /// Returns how many steps are handed out at once: some are queued so that no thread has to wait for the next.
    fn given_out(&self) -> usize {
        3 * self.machine.jobs()
    }

    /// Returns how one of these threads and its worker are scheduled: pinned to one processor, unless fewer commands run
    /// at once than there are processors, so that the kernel should choose a free one.
    fn dealt_out(&self, all: &Scheduling, number: usize) -> Scheduling {
        // Threads, workers and commands take many short turns, and the kernel seldom looks for an idle processor in between:
        // without pinning, one of two processors was idle for a tenth of the time.
        if all.processors() <= self.machine.jobs() { all.on_one(number) } else { all.clone() }
    }

    /// Records that the command of `step` begins.
    fn begins(&self, step: StepId, key: ActionDigest) {
        // A message would wake the owner once more for each step, so this is reported with the next message.
        self.begun().push(CommandStart { step, key, at: clock::now() });
    }

    fn begun(&self) -> MutexGuard<'_, Vec<CommandStart>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
