//! The state of every step, owned by the scheduler's thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use wake_model::{ActionDigest, RunRecord};

use super::perform::{ActionRun, StepOutcome};
use super::{BatchResult, CommandStart, Message, Schedule};
use crate::clock::{micros, ms_between, now};
use crate::diagnostic::Class;
use crate::event::{ActionFinished, Counts, Event, Reporter, Status};
use crate::reason::Reason;
use crate::step::StepId;

/// The progress of every step.
pub(super) struct Progress<'s, 'a, 'r> {
    schedule: &'s Schedule<'a>,
    reporter: &'r mut dyn Reporter,
    states: Vec<State>,
    /// The dependents of each step.
    dependents: Vec<Vec<StepId>>,
    /// Milliseconds from the start of a step to the end of the plan, as far as is known.
    urgency: Vec<u64>,
    ready: BinaryHeap<(u64, Reverse<StepId>)>,
    /// When each step was ready, and when its command began or it was looked up.
    times: Vec<Times>,
    running: usize,
    stopped: bool,
    ending: BatchResult,
}

/// The times of one step.
#[derive(Clone, Copy, Default)]
struct Times {
    ready: Option<Instant>,
    begun: Option<Instant>,
}

/// The assumed duration of a step without history.
const UNKNOWN_MS: u64 = 100;
/// How often the reporter's clock ticks while nothing happens.
const TICK: Duration = Duration::from_millis(100);

impl<'s, 'a, 'r> Progress<'s, 'a, 'r> {
    /// Creates the state in which no step has begun.
    pub(super) fn new(schedule: &'s Schedule<'a>, reporter: &'r mut dyn Reporter) -> Self {
        let steps = schedule.work.steps;
        let bound = steps.order().iter().map(|step| step.0 + 1).max().unwrap_or(0);
        let needs: Vec<(StepId, Vec<StepId>)> =
            steps.order().iter().map(|&step| (step, steps.needs(step))).collect();
        let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); bound];
        for (step, needs) in &needs {
            for need in needs {
                dependents[need.0].push(*step);
            }
        }
        // The head of the longest chain begins first: started late it would lengthen the build, however many processors are
        // free by then. Backwards, so that a step's dependents are known when its own time is added.
        let mut urgency = vec![0u64; bound];
        for (step, needs) in needs.iter().rev() {
            let past = schedule.work.history.get(steps.past_name(*step));
            urgency[step.0] += past.map_or(UNKNOWN_MS, |past| past.dur_ms).max(1);
            for need in needs {
                urgency[need.0] = urgency[need.0].max(urgency[step.0]);
            }
        }
        let counts = Counts { total: needs.len(), ..Counts::default() };
        let ending = BatchResult { counts, ..BatchResult::default() };
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
            ending,
        };
        for (step, needs) in needs {
            progress.states[step.0] = State::Waiting { needs: needs.len() };
            if needs.is_empty() {
                progress.make_ready(step);
            }
        }
        progress
    }

    /// Passes steps to `start` as they become ready, until there is nothing left to do or to wait for.
    pub(super) fn drive(
        mut self,
        receiver: &Receiver<Message>,
        mut start: impl FnMut(StepId, Instant),
    ) -> BatchResult {
        loop {
            self.stopped |= self.schedule.work.cancel.is_cancelled();
            if self.stopped {
                self.schedule.slots.close();
            }
            while !self.stopped && self.running < self.schedule.given_out() {
                let Some((_, Reverse(step))) = self.ready.pop() else { break };
                self.states[step.0] = State::Running;
                self.running += 1;
                let now = now();
                self.times[step.0].begun = Some(now);
                start(step, self.times[step.0].ready.unwrap_or(now));
            }
            self.schedule.machine.profile().load(self.ready.len(), self.running);
            if self.running == 0 {
                break;
            }
            // The wait also ends without a message: a stop must be noticed, and a bar drawn, while nothing happens.
            let received = receiver.recv_timeout(TICK);
            self.tell_begun();
            match received {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => self.reporter.tick(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close();
        self.ending
    }

    fn make_ready(&mut self, step: StepId) {
        self.states[step.0] = State::Ready;
        self.times[step.0].ready = Some(now());
        self.ready.push((self.urgency[step.0], Reverse(step)));
    }

    /// Reports the steps that have begun since the last time.
    fn tell_begun(&mut self) {
        let begun = std::mem::take(&mut *self.schedule.begun());
        for CommandStart { step, key, at } in begun {
            self.times[step.0].begun = Some(at);
            let (label, t_ms) = (self.label(step), self.ms_of(at));
            let event = Event::ActionStarted { id: step.0, label, key: key.to_string(), t_ms };
            self.reporter.event(&event);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Said(event) => self.reporter.event(&event),
            Message::Ended { step, result } => {
                self.running -= 1;
                self.finish(step, *result);
            }
        }
    }

    fn finish(&mut self, step: StepId, result: StepOutcome) {
        match result {
            StepOutcome::Hit { key, why, record, command, tree } => {
                let mut event = self.finished(step, Status::Hit, &why.to_string());
                describe(&mut event, &key, &record, command);
                event.outputs = Some(tree.to_string());
                self.ending.counts.hit += 1;
                self.ending.saved_ms += record.usage.wall_us / 1000;
                self.ending.keys.push((step, key, record.usage.wall_us / 1000));
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.done(step);
            }
            StepOutcome::Ran { key, why, ran, command } => {
                self.finish_run(step, key, &why, *ran, command)
            }
            StepOutcome::Failed(diagnostic) => {
                self.ending.classes.push(diagnostic.class);
                let event = self.finished(step, Status::Failed, &diagnostic.message);
                self.reporter.event(&Event::Diagnostic(diagnostic));
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.failed(step);
            }
            StepOutcome::Cancelled => {
                let event = self.finished(step, Status::Aborted, "the build was stopped");
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
                self.states[step.0] = State::Skipped;
                self.ending.counts.aborted += 1;
                self.stopped = true;
            }
        }
    }

    fn finish_run(
        &mut self,
        step: StepId,
        key: ActionDigest,
        why: &Reason,
        ran: ActionRun,
        command: String,
    ) {
        let status = if ran.tree.is_some() { Status::Ran } else { Status::Failed };
        let mut event = self.finished(step, status, &why.to_string());
        describe(&mut event, &key, &ran.record, command);
        event.execution = ran.execution.map(|execution| *execution);
        event.sandbox_us = micros(ran.overhead);
        event.stdout_tail = tail(&ran.stdout);
        event.stderr_tail = tail(&ran.stderr);
        event.outputs = ran.tree.map(|tree| tree.to_string());
        event.faults = ran.faults;
        event.help = ran.help;
        event.test = ran.test;
        self.reporter.event(&Event::ActionFinished(Box::new(event)));
        match ran.tree {
            Some(_) => {
                self.ending.counts.ran += 1;
                self.ending.keys.push((step, key, ran.record.usage.wall_us / 1000));
                self.done(step);
            }
            None => {
                let timed_out = ran.record.outcome == wake_model::Outcome::TimedOut;
                self.ending.classes.push(match () {
                    () if ran.test.is_some() => Class::Test,
                    () if timed_out => Class::Timeout,
                    () => Class::Action,
                });
                self.failed(step);
            }
        }
    }

    fn done(&mut self, step: StepId) {
        self.states[step.0] = State::Done;
        for next in self.dependents(step) {
            if let State::Waiting { needs } = self.states[next.0] {
                if needs <= 1 {
                    self.make_ready(next);
                } else {
                    self.states[next.0] = State::Waiting { needs: needs - 1 };
                }
            }
        }
    }

    fn failed(&mut self, step: StepId) {
        self.states[step.0] = State::Failed;
        self.ending.counts.failed += 1;
        let is_test = self.schedule.work.steps.test(step).is_some();
        if !self.schedule.work.rules.keep_going && !is_test {
            self.stopped = true;
        }
        let because = format!("{} failed", self.label(step));
        let mut reached = self.dependents(step);
        while let Some(next) = reached.pop() {
            if !matches!(self.states[next.0], State::Waiting { .. }) {
                continue;
            }
            self.states[next.0] = State::Skipped;
            self.ending.counts.skipped += 1;
            let event = self.finished(next, Status::Skipped, &because);
            self.reporter.event(&Event::ActionFinished(Box::new(event)));
            reached.extend(self.dependents(next));
        }
    }

    /// Closes every step that was announced, including those that were never tried.
    fn close(&mut self) {
        for &step in self.schedule.work.steps.order() {
            if matches!(self.states[step.0], State::Waiting { .. } | State::Ready) {
                self.ending.counts.aborted += 1;
                let event = self.finished(step, Status::Aborted, "the build was stopped");
                self.reporter.event(&Event::ActionFinished(Box::new(event)));
            }
        }
    }

    fn dependents(&self, step: StepId) -> Vec<StepId> {
        self.dependents[step.0].clone()
    }

    fn label(&self, step: StepId) -> String {
        self.schedule.work.steps.label(step).to_owned()
    }

    /// Returns the final event of a step, with what all steps have in common.
    fn finished(&self, step: StepId, status: Status, why: &str) -> ActionFinished {
        let Times { ready, begun } = self.times[step.0];
        ActionFinished {
            ready_ms: ready.map(|ready| self.ms_of(ready)),
            start_ms: begun.map(|begun| self.ms_of(begun)),
            id: step.0,
            label: self.label(step),
            status,
            why: why.to_owned(),
            t_ms: self.ms_of(now()),
            ..ActionFinished::default()
        }
    }

    /// Returns the milliseconds from the start of the build to `moment`.
    fn ms_of(&self, moment: Instant) -> u64 {
        ms_between(self.schedule.work.started, moment)
    }
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

/// Adds what the record of the command says.
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

/// Returns the last 4 KiB as text; invalid UTF-8 is replaced.
fn tail(bytes: &[u8]) -> String {
    const LONGEST: usize = 4096;
    let start = bytes.len().saturating_sub(LONGEST);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}
