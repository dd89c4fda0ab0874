//! Scheduling: every step as soon as what it needs is done, the longest known way first.
//!
//! One thread owns all state and speaks to the reporter; others perform steps and answer through one
//! channel.
//!
//! | file | does |
//! |---|---|
//! | `busy` | no key twice at a time |
//! | `perform` | the threads that perform steps: one step |
//! | `progress` | the one thread: what the reporter is told, which step is next |

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

/// How steps are gone about.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulePolicy {
    /// Whether steps go on after one has failed.
    pub keep_going: bool,
    /// Whether steps that a person asked for run although they are remembered.
    pub rebuild: bool,
    /// How often each test runs that a person asked for; it passes if it passes each time. Zero is one.
    pub runs: u32,
    /// How often a test is tried again after a failure; none: as it says.
    pub retries: Option<u32>,
}

/// Steps with all that they are performed with.
pub struct Batch<'a> {
    /// What is to be performed.
    pub steps: &'a dyn Steps,
    /// What the steps leave, and what others left that they need.
    pub results: &'a Results,
    /// Where files lie that steps name.
    pub sources: &'a dyn SourceFiles,
    /// Last keys and durations.
    pub history: &'a History,
    /// How to go about it.
    pub rules: SchedulePolicy,
    /// Stops it.
    pub cancel: &'a Cancel,
    /// When everything began.
    pub started: Instant,
}

/// What became of steps.
#[derive(Debug, Default)]
pub struct BatchResult {
    /// The steps by what became of them.
    pub counts: Counts,
    /// Classes of failure.
    pub classes: Vec<Class>,
    /// The key and the duration of each step that is done.
    pub keys: Vec<(StepId, ActionDigest, u64)>,
    /// Milliseconds that the commands of remembered results once took.
    pub saved_ms: u64,
}

/// A batch on a machine.
struct Schedule<'a> {
    work: &'a Batch<'a>,
    machine: &'a Machine,
    wares: Wares<'a>,
    slots: Slots,
    /// Keys of actions that are being performed.
    busy: Busy,
    /// Steps whose commands have begun, of which their owner is told when something wakes it.
    begun: Mutex<Vec<CommandStart>>,
}

/// A step whose command has begun.
struct CommandStart {
    step: StepId,
    key: ActionDigest,
    at: Instant,
}

/// What a thread that performs steps tells the one that owns their state.
enum Message {
    Said(Event),
    Ended { step: StepId, result: Box<StepOutcome> },
}

impl Machine {
    /// Performs every step, telling `reporter` of each.
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
            let ending = Progress::new(self, reporter).drive(&receiver, start);
            drop(next);
            ending
        })
    }

    /// How many steps are in hand at once: as many as there are commands running, and as many that are
    /// got ready or put away.
    fn in_hand(&self) -> usize {
        2 * self.machine.jobs()
    }

    /// How many are given out at once: some wait in line, so that no thread has to wait for the next.
    fn given_out(&self) -> usize {
        3 * self.machine.jobs()
    }

    /// How one of the threads that perform steps is scheduled, and its worker: kept to one processor, unless there are
    /// fewer commands at once than processors, so that the kernel is to choose among those that are free.
    fn dealt_out(&self, all: &Scheduling, number: usize) -> Scheduling {
        // Threads, workers and commands take many short turns, and the kernel seldom looks for an idle processor in between:
        // left to it, one of two stood idle for a tenth of the time.
        if all.processors() <= self.machine.jobs() { all.on_one(number) } else { all.clone() }
    }

    /// Notes that the command of `step` begins.
    fn begins(&self, step: StepId, key: ActionDigest) {
        // A message would wake the owner once more for each step; it is told with the next thing that wakes it.
        self.begun().push(CommandStart { step, key, at: clock::now() });
    }

    fn begun(&self) -> MutexGuard<'_, Vec<CommandStart>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
