//! Scheduling: every step as soon as what it needs is done, the longest known way first.
//!
//! One thread owns all state and speaks to the reporter; others perform steps and answer through one
//! channel.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use wake_model::action::Command;
use wake_model::{ActionDigest, RunRecord, TreeDigest};
use wake_store::Lookup;

use crate::diagnostic::{Class, Diagnostic, Level};
use crate::event::{ActionFinished, Counts, Event, Reporter, Status};
use crate::execute::{NotRun, Ran, Runner};
use crate::history::History;
use crate::pin::{Done, Pinned};
use crate::profile::{Open, SpanKind};
use crate::reason::{Reason, reason};

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

enum Message {
    Started { step: usize, key: ActionDigest },
    Warning(Box<Diagnostic>),
    Finished { step: usize, result: Box<Performed> },
}

/// What came of one step.
enum Performed {
    Hit { key: ActionDigest, why: Reason, record: RunRecord, command: String, tree: TreeDigest },
    Ran { key: ActionDigest, why: Reason, ran: Ran, command: String },
    Failed(Box<Diagnostic>),
    Cancelled,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting { needs: usize },
    Ready,
    Running,
    Done,
    Failed,
    Skipped,
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
        Schedule { steps, runner, history, rules, started, busy: Busy::default() }
    }

    /// Performs every step, telling `reporter` of each.
    pub(crate) fn run(&self, reporter: &mut dyn Reporter) -> Outcome {
        let (sender, receiver) = unbounded();
        let (next, steps) = unbounded();
        std::thread::scope(|scope| {
            let mut threads = 0;
            let start = |step: usize, ready: Instant| {
                // A thread that cannot be started leaves its steps to the others.
                if threads < self.in_hand() {
                    let (sender, steps) = (sender.clone(), steps.clone());
                    let name = format!("step-{threads}");
                    let work = move || {
                        steps.iter().for_each(|(step, ready)| self.perform(step, ready, &sender));
                    };
                    let started = std::thread::Builder::new().name(name).spawn_scoped(scope, work);
                    threads += usize::from(started.is_ok());
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

    fn perform(&self, step: usize, ready: Instant, sender: &Sender<Message>) {
        let mut span = self.span(SpanKind::Step, self.steps.label(step));
        span.note("waited_us", || micros(ready.elapsed()));
        let result = self.try_perform(step, sender).unwrap_or_else(|not_run| match not_run {
            NotRun::Cancelled => Performed::Cancelled,
            NotRun::Failed(diagnostic) => Performed::Failed(diagnostic),
        });
        result.describe(&mut span);
        drop(span);
        // The receiver outlives the scope in which this runs.
        let _ = sender.send(Message::Finished { step, result: Box::new(result) });
    }

    fn try_perform(&self, step: usize, sender: &Sender<Message>) -> Result<Performed, NotRun> {
        if self.runner.cancel.is_cancelled() {
            return Err(NotRun::Cancelled);
        }
        let label = self.steps.label(step);
        let span = self.span(SpanKind::Step, "pin");
        let pinned = self.steps.pin(step).map_err(NotRun::Failed)?;
        drop(span);
        let key = pinned.action.digest();
        let command = shell_line(&pinned);
        let past = self.history.get(label);
        let span = self.span(SpanKind::Step, "look up");
        // Two steps with one key: the second finds what the first has made.
        let _turn = self.busy.wait_for(key);
        let force = self.rules.rebuild && self.steps.is_requested(step);
        let found = self.runner.recall(&key)?;
        drop(span);
        match found {
            Lookup::Hit(stored) if !force => {
                let tree = stored.tree();
                let record = stored.into_record();
                let done = Done { tree, manifest: record.outputs.clone() };
                let dur_ms = record.usage.wall_us / 1000;
                self.steps.done(step, Kept { pinned: &pinned, key, done, dur_ms });
                return Ok(Performed::Hit { key, why: Reason::Remembered, record, command, tree });
            }
            Lookup::Hit(_) | Lookup::Miss => {}
            Lookup::Corrupt(corruption) => {
                let _ =
                    sender.send(Message::Warning(Box::new(corruption_warning(label, &corruption))));
            }
        }
        let why = if force {
            Reason::Asked
        } else {
            reason(self.runner.store, past, &key, &pinned.action)
        };
        let started = || {
            // The receiver outlives the scope in which this runs.
            let _ = sender.send(Message::Started { step, key });
        };
        let ran = self.runner.run(&pinned, &key, label, &started)?;
        if let Some(corruption) = &ran.corruption {
            let _ = sender.send(Message::Warning(Box::new(corruption_warning(label, corruption))));
        }
        if let Some(tree) = ran.tree {
            let done = Done { tree, manifest: ran.record.outputs.clone() };
            let dur_ms = ran.record.usage.wall_us / 1000;
            self.steps.done(step, Kept { pinned: &pinned, key, done, dur_ms });
        }
        Ok(Performed::Ran { key, why, ran, command })
    }

    fn span(&self, kind: SpanKind, name: &str) -> Open<'_> {
        self.runner.profile.begin(kind, || name.to_owned())
    }
}

impl Performed {
    /// Notes beside its time what came of the step.
    fn describe(&self, span: &mut Open) {
        let status = match self {
            Performed::Hit { .. } => Status::Hit,
            Performed::Ran { ran: Ran { tree: Some(_), .. }, .. } => Status::Ran,
            Performed::Ran { .. } | Performed::Failed(_) => Status::Failed,
            Performed::Cancelled => Status::Aborted,
        };
        span.note_text("status", status);
        if let Performed::Hit { key, why, .. } | Performed::Ran { key, why, .. } = self {
            span.note_text("key", key);
            span.note_text("why", why);
        }
        if let Performed::Ran { ran, .. } = self {
            span.note_text("outcome", &ran.record.outcome);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn corruption_warning(label: &str, corruption: &wake_store::Corruption) -> Diagnostic {
    let mut diagnostic =
        Diagnostic::error(Class::Integrity, format!("{label}: in the store, {corruption}"))
            .help("it is built again; `wake store verify` looks at everything else");
    diagnostic.level = Level::Warning;
    diagnostic
}

/// The command as a person would type it.
fn shell_line(pinned: &Pinned) -> String {
    match &pinned.action.command {
        Command::Run(run) => {
            let words = std::iter::once(&run.program).chain(&run.args);
            words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
        }
        Command::Collect { .. } => String::new(),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The keys that are being performed, so that no two workers perform one at the same time.
#[derive(Default)]
struct Busy {
    keys: Mutex<HashSet<ActionDigest>>,
    freed: Condvar,
}

struct Turn<'a> {
    busy: &'a Busy,
    key: ActionDigest,
}

impl Busy {
    fn wait_for(&self, key: ActionDigest) -> Turn<'_> {
        let mut keys = self.lock();
        while !keys.insert(key) {
            keys = self.freed.wait(keys).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        Turn { busy: self, key }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<ActionDigest>> {
        self.keys.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.key);
        self.busy.freed.notify_all();
    }
}

/// The state of every step, owned by the scheduler's thread.
struct Progress<'s, 'a, 'r> {
    schedule: &'s Schedule<'a>,
    reporter: &'r mut dyn Reporter,
    states: Vec<State>,
    /// Who needs a step.
    dependents: Vec<Vec<usize>>,
    /// Milliseconds from the start of a step to the end of the plan, as far as is known.
    urgency: Vec<u64>,
    ready: BinaryHeap<(u64, Reverse<usize>)>,
    /// When each step had all that it needs, and when its command began or it was looked up.
    times: Vec<Times>,
    running: usize,
    stopped: bool,
    outcome: Outcome,
}

/// When a step got how far.
#[derive(Clone, Copy, Default)]
struct Times {
    ready: Option<Instant>,
    begun: Option<Instant>,
}

/// How long a step is taken to last of which nothing is known.
const UNKNOWN_MS: u64 = 100;
/// How often the reporter's clock is turned while nothing happens.
const TICK: Duration = Duration::from_millis(100);

impl<'s, 'a, 'r> Progress<'s, 'a, 'r> {
    fn new(schedule: &'s Schedule<'a>, reporter: &'r mut dyn Reporter) -> Self {
        let steps = schedule.steps;
        let bound = steps.bound();
        let needs: Vec<(usize, Vec<usize>)> =
            steps.order().iter().map(|&step| (step, steps.needs(step))).collect();
        let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); bound];
        for (step, needs) in &needs {
            for &need in needs {
                dependents[need].push(*step);
            }
        }
        let mut urgency = vec![0u64; bound];
        for (step, needs) in needs.iter().rev() {
            let usual =
                schedule.history.get(steps.label(*step)).map_or(UNKNOWN_MS, |past| past.dur_ms);
            urgency[*step] += usual.max(1);
            for &need in needs {
                urgency[need] = urgency[need].max(urgency[*step]);
            }
        }
        let count = needs.len();
        let outcome =
            Outcome { counts: Counts { total: count, ..Counts::default() }, ..Outcome::default() };
        let mut progress = Progress {
            schedule,
            reporter,
            states: vec![State::Done; bound],
            dependents,
            urgency,
            ready: BinaryHeap::new(),
            times: vec![Times::default(); bound],
            running: 0,
            stopped: false,
            outcome,
        };
        for (step, needs) in needs {
            progress.states[step] = State::Waiting { needs: needs.len() };
            if needs.is_empty() {
                progress.make_ready(step);
            }
        }
        progress
    }

    fn drive(
        mut self,
        receiver: &Receiver<Message>,
        mut start: impl FnMut(usize, Instant),
    ) -> Outcome {
        loop {
            self.stopped |= self.schedule.runner.cancel.is_cancelled();
            if self.stopped {
                self.schedule.runner.slots.close();
            }
            while !self.stopped && self.running < self.schedule.in_hand() {
                let Some((_, Reverse(step))) = self.ready.pop() else { break };
                self.states[step] = State::Running;
                self.running += 1;
                let now = Instant::now();
                self.times[step].begun = Some(now);
                start(step, self.times[step].ready.unwrap_or(now));
            }
            self.schedule.runner.profile.load(self.ready.len(), self.running);
            if self.running == 0 {
                break;
            }
            match receiver.recv_timeout(TICK) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.reporter.tick(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
        self.outcome
    }

    fn make_ready(&mut self, step: usize) {
        self.states[step] = State::Ready;
        self.times[step].ready = Some(Instant::now());
        self.ready.push((self.urgency[step], Reverse(step)));
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Started { step, key } => {
                let label = self.label(step);
                let now = Instant::now();
                self.times[step].begun = Some(now);
                let t_ms = self.ms_of(now);
                let event = Event::ActionStarted { id: step, label, key: key.to_string(), t_ms };
                self.reporter.event(&event);
            }
            Message::Warning(diagnostic) => self.reporter.event(&Event::Diagnostic(diagnostic)),
            Message::Finished { step, result } => {
                self.running -= 1;
                self.finish(step, *result);
            }
        }
    }

    fn finish(&mut self, step: usize, result: Performed) {
        match result {
            Performed::Hit { key, why, record, command, tree } => {
                let mut event = self.finished(step, Status::Hit, &why.to_string());
                describe(&mut event, &key, &record, command);
                event.outputs = Some(tree.to_string());
                self.outcome.counts.hit += 1;
                self.outcome.saved_ms += record.usage.wall_us / 1000;
                self.outcome.keys.push((step, key, record.usage.wall_us / 1000));
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.done(step);
            }
            Performed::Ran { key, why, ran, command } => {
                self.finish_run(step, key, &why, ran, command)
            }
            Performed::Failed(diagnostic) => {
                self.outcome.classes.push(diagnostic.class);
                let event = self.finished(step, Status::Failed, &diagnostic.message);
                self.reporter.event(&Event::Diagnostic(diagnostic));
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.failed(step);
            }
            Performed::Cancelled => {
                let event = self.finished(step, Status::Aborted, "the build was stopped");
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.states[step] = State::Skipped;
                self.outcome.counts.aborted += 1;
                self.stopped = true;
            }
        }
    }

    fn finish_run(
        &mut self,
        step: usize,
        key: ActionDigest,
        why: &Reason,
        ran: Ran,
        command: String,
    ) {
        let status = if ran.tree.is_some() { Status::Ran } else { Status::Failed };
        let mut event = self.finished(step, status, &why.to_string());
        describe(&mut event, &key, &ran.record, command);
        event.execution = ran.execution.as_deref().cloned();
        event.sandbox_us = micros(ran.overhead);
        event.stdout_tail = tail(&ran.stdout);
        event.stderr_tail = tail(&ran.stderr);
        event.outputs = ran.tree.map(|tree| tree.to_string());
        event.faults.clone_from(&ran.faults);
        self.reporter.event(&Event::ActionFinished(Box::new(event)));
        match ran.tree {
            Some(_) => {
                self.outcome.counts.ran += 1;
                self.outcome.keys.push((step, key, ran.record.usage.wall_us / 1000));
                self.done(step);
            }
            None => {
                let timed_out = ran.record.outcome == wake_model::Outcome::TimedOut;
                self.outcome.classes.push(if timed_out { Class::Timeout } else { Class::Action });
                self.failed(step);
            }
        }
    }

    fn done(&mut self, step: usize) {
        self.states[step] = State::Done;
        for next in self.dependents(step) {
            if let State::Waiting { needs } = self.states[next] {
                if needs <= 1 {
                    self.make_ready(next);
                } else {
                    self.states[next] = State::Waiting { needs: needs - 1 };
                }
            }
        }
    }

    fn failed(&mut self, step: usize) {
        self.states[step] = State::Failed;
        self.outcome.counts.failed += 1;
        if !self.schedule.rules.keep_going {
            self.stopped = true;
        }
        let because = format!("{} failed", self.label(step));
        let mut reached = self.dependents(step);
        while let Some(next) = reached.pop() {
            if !matches!(self.states[next], State::Waiting { .. }) {
                continue;
            }
            self.states[next] = State::Skipped;
            self.outcome.counts.skipped += 1;
            let event = self.finished(next, Status::Skipped, &because);
            self.reporter.event(&Event::ActionFinished(Box::new(event)));
            reached.extend(self.dependents(next));
        }
    }

    /// Every step that was announced is closed, also those that were never tried.
    fn close(&mut self) {
        for &step in self.schedule.steps.order() {
            if matches!(self.states[step], State::Waiting { .. } | State::Ready) {
                self.outcome.counts.aborted += 1;
                let event = self.finished(step, Status::Aborted, "the build was stopped");
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
            }
        }
    }

    fn dependents(&self, step: usize) -> Vec<usize> {
        self.dependents[step].clone()
    }

    fn label(&self, step: usize) -> String {
        self.schedule.steps.label(step).to_owned()
    }

    /// Milliseconds from the start of the build to `moment`.
    fn ms_of(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.schedule.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn finished(&self, step: usize, status: Status, why: &str) -> ActionFinished {
        let times = self.times[step];
        ActionFinished {
            id: step,
            label: self.label(step),
            status,
            key: None,
            outcome: None,
            exit: None,
            why: why.to_owned(),
            dur_ms: 0,
            sandbox_us: 0,
            cpu_us: 0,
            rss_max: 0,
            outputs: None,
            stdout: None,
            stderr: None,
            stdout_tail: String::new(),
            stderr_tail: String::new(),
            faults: Vec::new(),
            command: String::new(),
            execution: None,
            ready_ms: times.ready.map(|ready| self.ms_of(ready)),
            start_ms: times.begun.map(|begun| self.ms_of(begun)),
            t_ms: self.ms_of(Instant::now()),
        }
    }
}

fn describe(event: &mut ActionFinished, key: &ActionDigest, record: &RunRecord, command: String) {
    event.key = Some(key.to_string());
    event.outcome = Some(record.outcome.to_string());
    event.exit = Some(record.outcome.exit_code());
    event.dur_ms = record.usage.wall_us / 1000;
    event.cpu_us = record.usage.user_us + record.usage.sys_us;
    event.rss_max = record.usage.peak_bytes;
    event.stdout = record.stdout.as_ref().map(|log| log.blob.to_string());
    event.stderr = record.stderr.as_ref().map(|log| log.blob.to_string());
    event.command = command;
}

/// The last 4 KiB as text; what is not UTF-8 is replaced.
fn tail(bytes: &[u8]) -> String {
    const LONGEST: usize = 4096;
    let start = bytes.len().saturating_sub(LONGEST);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}
