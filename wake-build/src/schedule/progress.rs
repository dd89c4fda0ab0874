//! The state of every step, owned by the scheduler's thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use wake_model::ActionDigest;

use super::perform::Performed;
use super::told::{describe, tail};
use super::{Begun, Message, Outcome, Schedule, micros};
use crate::diagnostic::Class;
use crate::event::{Counts, Event, Reporter, Status};
use crate::execute::Ran;
use crate::reason::Reason;

/// Every step with how far it is.
pub(super) struct Progress<'s, 'a, 'r> {
    pub(super) schedule: &'s Schedule<'a>,
    reporter: &'r mut dyn Reporter,
    states: Vec<State>,
    /// Who needs a step.
    dependents: Vec<Vec<usize>>,
    /// Milliseconds from the start of a step to the end of the plan, as far as is known.
    urgency: Vec<u64>,
    ready: BinaryHeap<(u64, Reverse<usize>)>,
    /// When each step had all that it needs, and when its command began or it was looked up.
    pub(super) times: Vec<Times>,
    running: usize,
    stopped: bool,
    outcome: Outcome,
}

/// When a step got how far.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    pub(super) ready: Option<Instant>,
    pub(super) begun: Option<Instant>,
}

/// How long a step is taken to last of which nothing is known.
const UNKNOWN_MS: u64 = 100;
/// How often the reporter's clock is turned while nothing happens.
const TICK: Duration = Duration::from_millis(100);

impl<'s, 'a, 'r> Progress<'s, 'a, 'r> {
    /// No step has begun.
    pub(super) fn new(schedule: &'s Schedule<'a>, reporter: &'r mut dyn Reporter) -> Self {
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

    /// Hands steps to `start` as they become ready, until nothing is left to do or to wait for.
    pub(super) fn drive(
        mut self,
        receiver: &Receiver<Message>,
        mut start: impl FnMut(usize, Instant),
    ) -> Outcome {
        loop {
            self.stopped |= self.schedule.runner.cancel.is_cancelled();
            if self.stopped {
                self.schedule.runner.slots.close();
            }
            while !self.stopped && self.running < self.schedule.given_out() {
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
            let received = receiver.recv_timeout(TICK);
            self.tell_begun();
            match received {
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

    /// Tells of the steps that have begun since the last time.
    fn tell_begun(&mut self) {
        let begun = std::mem::take(&mut *self.schedule.begun());
        for Begun { step, key, at } in begun {
            self.times[step].begun = Some(at);
            let (label, t_ms) = (self.label(step), self.ms_of(at));
            let event = Event::ActionStarted { id: step, label, key: key.to_string(), t_ms };
            self.reporter.event(&event);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
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

    pub(super) fn label(&self, step: usize) -> String {
        self.schedule.steps.label(step).to_owned()
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
