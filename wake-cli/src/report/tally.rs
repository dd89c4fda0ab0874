//! The state of a build, computed from its events.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use wake_steps::diagnostic::Level;
use wake_steps::event::{Counts, Event, Status};

use crate::terminal::{escape, words};

/// The steps of a build, with their states.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The maximum number of parallel commands.
    jobs: usize,
    steps: HashMap<usize, StepTally>,
    /// In the order announced: needs come before the steps that need them.
    order: Vec<usize>,
    dependents: HashMap<usize, Vec<usize>>,
    running: BTreeMap<usize, Running>,
    /// Steps whose output was passed on live.
    heard: HashSet<usize>,
    /// Computed for the first estimate after a step was announced.
    outlook: OnceCell<Estimate>,
    /// The outcomes of the steps so far; `total` is the number of announced steps.
    pub(crate) counts: Counts,
    /// The labels of the failed steps, in order of failure.
    pub(crate) failed: Vec<String>,
    /// The number of reported errors.
    pub(crate) errors: usize,
    /// The outcomes of the tests so far.
    pub(crate) tests: TestTally,
}

/// The outcomes of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestTally {
    announced: HashSet<usize>,
    /// Tests that ran and passed.
    passed: usize,
    /// Tests with a cached pass.
    remembered: usize,
    failed: usize,
    /// The labels of tests that passed after failing.
    flaky: Vec<String>,
}

impl TestTally {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Announced { id, test: true, .. } => _ = self.announced.insert(*id),
            Event::ActionFinished(finished) if self.is_one(finished.id) => match finished.status {
                Status::Ran => {
                    self.passed += 1;
                    if finished.test.is_some_and(|runs| runs.failures > 0) {
                        self.flaky.push(finished.label.clone());
                    }
                }
                Status::Hit => self.remembered += 1,
                Status::Failed => self.failed += 1,
                Status::Skipped | Status::Aborted => {}
            },
            _ => {}
        }
    }

    /// Whether the step is a test.
    pub(crate) fn is_one(&self, step: usize) -> bool {
        self.announced.contains(&step)
    }

    /// Summarises the tests in one sentence; `None` if there were no tests.
    pub(crate) fn sentence(&self) -> Option<String> {
        let TestTally { announced, passed, remembered, failed, flaky } = self;
        if announced.is_empty() {
            return None;
        }
        let mut text = words::count(announced.len(), "test");
        text.push_str(&match (passed + remembered, *remembered) {
            (all, 0) => format!(": {all} passed"),
            (all, remembered) if all == remembered => format!(": {all} passed, all cached"),
            (all, remembered) => format!(": {all} passed ({remembered} cached)"),
        });
        let not_run = announced.len().saturating_sub(passed + remembered + failed);
        for (count, what) in [(*failed, "failed"), (not_run, "not run")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        if !flaky.is_empty() {
            let labels: Vec<_> = flaky.iter().map(|label| escape::line(label)).collect();
            text.push_str(&format!("; flaky: {}", labels.join(", ")));
        }
        Some(text)
    }
}

#[derive(Debug)]
struct StepTally {
    /// The number of needs that are not done.
    open: usize,
    usual_ms: Option<u64>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Unknown,
    Ready,
    Running,
    Done,
}

/// A running command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Running {
    /// The label.
    pub(crate) label: String,
    /// When it started, since the start of the build.
    pub(crate) since: Duration,
    /// How long it took last time.
    pub(crate) usual: Option<Duration>,
}

/// The estimate of the build from past durations.
#[derive(Debug)]
struct Estimate {
    /// The assumed duration of unknown steps; `None` if most are unknown.
    mean_ms: Option<u64>,
    /// Milliseconds from the start of each step to the end of the build, with unlimited parallelism.
    way_ms: HashMap<usize, u64>,
}

/// The number of steps in each part of the bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Steps that are done.
    pub(crate) done: usize,
    /// Steps whose command is running.
    pub(crate) running: usize,
    /// Steps whose needs are done.
    pub(crate) ready: usize,
    /// Steps that depend on the outcomes of others.
    pub(crate) unknown: usize,
}

impl Tally {
    /// Processes one event.
    pub(crate) fn event(&mut self, event: &Event) {
        self.tests.event(event);
        match event {
            Event::Started { jobs, .. } => self.jobs = *jobs,
            Event::Announced { id, needs, usual_ms, .. } => self.announce(*id, needs, *usual_ms),
            Event::ActionStarted { id, label, t_ms, .. } => self.start(*id, label, *t_ms),
            Event::ActionOutput { id, .. } => _ = self.heard.insert(*id),
            Event::ActionFinished(finished) => {
                self.finish(finished.id, finished.status);
                if finished.status == Status::Failed {
                    self.failed.push(finished.label.clone());
                }
            }
            Event::Diagnostic(diagnostic) if diagnostic.level == Level::Error => self.errors += 1,
            _ => {}
        }
    }

    /// Returns the running commands, in the order they started.
    pub(crate) fn running(&self) -> Vec<&Running> {
        let mut running: Vec<_> = self.running.values().collect();
        running.sort_by_key(|running| running.since);
        running
    }

    /// Whether the step's output was passed on live.
    pub(crate) fn was_heard(&self, step: usize) -> bool {
        self.heard.contains(&step)
    }

    /// Returns the number of steps that are done.
    pub(crate) fn done(&self) -> usize {
        let Counts { total: _, hit, ran, failed, skipped, aborted } = self.counts;
        hit + ran + failed + skipped + aborted
    }

    /// Counts the steps in each part of the bar.
    pub(crate) fn parts(&self) -> Parts {
        let (done, running) = (self.done(), self.running.len());
        let count = |phase| self.steps.values().filter(|step| step.phase == phase).count();
        Parts { done, running, ready: count(Phase::Ready), unknown: count(Phase::Unknown) }
    }

    /// Estimates the remaining time: the remaining work, divided by the parallel commands, but at least
    /// the longest dependency chain. `None` if most steps have never run before.
    ///
    /// This is an upper estimate: cached steps turn out to cost nothing.
    pub(crate) fn estimate(&self, now: Duration) -> Option<Duration> {
        let Parts { running, ready, unknown, .. } = self.parts();
        if running + ready + unknown == 0 {
            return None;
        }
        let Estimate { mean_ms, way_ms } = self.outlook.get_or_init(|| self.look_ahead());
        let mean = Duration::from_millis((*mean_ms)?);
        let way = |id: &usize| Duration::from_millis(way_ms.get(id).copied().unwrap_or(0));
        let (mut work, mut longest) = (Duration::ZERO, Duration::ZERO);
        for (id, step) in &self.steps {
            if matches!(step.phase, Phase::Ready | Phase::Unknown) {
                work += step.usual_ms.map_or(mean, Duration::from_millis);
            }
            if step.phase == Phase::Ready {
                longest = longest.max(way(id));
            }
        }
        for (id, running) in &self.running {
            let usual = running.usual.unwrap_or(mean);
            let left = usual.saturating_sub(now.saturating_sub(running.since));
            work += left;
            longest = longest.max(left + way(id).saturating_sub(usual));
        }
        Some((work / self.jobs.max(1) as u32).max(longest))
    }

    fn look_ahead(&self) -> Estimate {
        let known: Vec<u64> = self.steps.values().filter_map(|step| step.usual_ms).collect();
        let mean_ms = match known.len() * 2 >= self.steps.len() {
            true => known.iter().sum::<u64>().checked_div(known.len() as u64),
            false => None,
        };
        let mut way_ms = HashMap::with_capacity(self.order.len());
        for id in self.order.iter().rev() {
            let after = self.dependents.get(id).into_iter().flatten();
            let after = after.filter_map(|dependent| way_ms.get(dependent)).max();
            let own = self.steps.get(id).and_then(|step| step.usual_ms).or(mean_ms);
            way_ms.insert(*id, own.unwrap_or(0) + after.copied().unwrap_or(0));
        }
        Estimate { mean_ms, way_ms }
    }

    fn announce(&mut self, id: usize, needs: &[usize], usual_ms: Option<u64>) {
        let open: Vec<usize> = needs
            .iter()
            .copied()
            .filter(|need| self.steps.get(need).is_none_or(|step| step.phase != Phase::Done))
            .collect();
        for &need in &open {
            self.dependents.entry(need).or_default().push(id);
        }
        let phase = if open.is_empty() { Phase::Ready } else { Phase::Unknown };
        self.counts.total += 1;
        self.order.push(id);
        self.outlook.take();
        self.steps.insert(id, StepTally { open: open.len(), usual_ms, phase });
    }

    fn start(&mut self, id: usize, label: &str, t_ms: u64) {
        let usual = self.enter(id, Phase::Running).map(Duration::from_millis);
        let since = Duration::from_millis(t_ms);
        self.running.insert(id, Running { label: label.to_owned(), since, usual });
    }

    fn finish(&mut self, id: usize, status: Status) {
        self.enter(id, Phase::Done);
        self.running.remove(&id);
        let count = match status {
            Status::Hit => &mut self.counts.hit,
            Status::Ran => &mut self.counts.ran,
            Status::Failed => &mut self.counts.failed,
            Status::Skipped => &mut self.counts.skipped,
            Status::Aborted => &mut self.counts.aborted,
        };
        *count += 1;
        for dependent in self.dependents.remove(&id).unwrap_or_default() {
            let Some(step) = self.steps.get_mut(&dependent) else { continue };
            step.open = step.open.saturating_sub(1);
            if step.open == 0 && step.phase == Phase::Unknown {
                step.phase = Phase::Ready;
            }
        }
    }

    /// Records the phase of a step, and returns its usual duration.
    fn enter(&mut self, id: usize, phase: Phase) -> Option<u64> {
        let step = self.steps.get_mut(&id)?;
        step.phase = phase;
        step.usual_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::{announced, begun, finished, started};

    fn tally(events: &[Event]) -> Tally {
        let mut tally = Tally::default();
        events.iter().for_each(|event| tally.event(event));
        tally
    }

    #[test]
    fn a_step_is_unknown_until_its_needs_are_done() {
        let mut events =
            vec![announced(0, "a", &[]), announced(1, "b", &[0]), announced(2, "c", &[0, 1])];
        let parts = |done, running, ready, unknown| Parts { done, running, ready, unknown };
        assert_eq!(tally(&events).parts(), parts(0, 0, 1, 2));
        events.push(started(0, "a", 10));
        assert_eq!(tally(&events).parts(), parts(0, 1, 0, 2));
        events.push(finished(0, "a", Status::Ran, 20));
        assert_eq!(tally(&events).parts(), parts(1, 0, 1, 1));
        events.push(finished(1, "b", Status::Hit, 21));
        assert_eq!(tally(&events).parts(), parts(2, 0, 1, 0));
        // Announced late, when its dependency is already done.
        events.push(announced(3, "d", &[0]));
        assert_eq!(tally(&events).parts(), parts(2, 0, 2, 0));
    }

    fn usual(id: usize, label: &str, needs: &[usize], ms: Option<u64>) -> Event {
        let needs = needs.to_vec();
        Event::Announced {
            id,
            label: label.into(),
            needs,
            requested: false,
            usual_ms: ms,
            identity: None,
            test: false,
        }
    }

    /// Makes a tally with a number of parallel commands.
    fn with_jobs(jobs: usize, events: &[Event]) -> Tally {
        let Event::Started { v, run, wake, argv, root, sandbox, .. } = begun("strict") else {
            unreachable!("it begins")
        };
        let mut tally = Tally::default();
        tally.event(&Event::Started { v, run, wake, argv, root, sandbox, jobs, host: None });
        events.iter().for_each(|event| tally.event(event));
        tally
    }

    #[test]
    fn the_estimate_is_work_over_jobs_but_no_less_than_what_runs() {
        let events = [
            usual(0, "a", &[], Some(10_000)),
            usual(1, "b", &[], Some(4_000)),
            usual(2, "c", &[], None),
        ];
        // 10 + 4, and the mean, 7, for the unknown step.
        let one = with_jobs(1, &events);
        assert_eq!(one.estimate(Duration::ZERO), Some(Duration::from_secs(21)));
        let mut tally = with_jobs(4, &events);
        tally.event(&started(0, "a", 0));
        tally.event(&finished(2, "c", Status::Hit, 0));
        let now = Duration::from_secs(1);
        assert_eq!(tally.estimate(now), Some(Duration::from_secs(9)));
        // It runs longer than ever before, so it may end at any moment.
        assert_eq!(tally.estimate(Duration::from_secs(30)), Some(Duration::from_secs(4)));
        tally.event(&finished(1, "b", Status::Hit, 0));
        tally.event(&finished(0, "a", Status::Ran, 0));
        assert_eq!(tally.estimate(now), None);
    }

    #[test]
    fn the_estimate_is_no_less_than_the_longest_path() {
        let events = [
            usual(0, "a", &[], Some(2_000)),
            usual(1, "b", &[0], Some(3_000)),
            usual(2, "c", &[1], Some(5_000)),
            usual(3, "d", &[], Some(1_000)),
        ];
        let mut tally = with_jobs(8, &events);
        assert_eq!(tally.estimate(Duration::ZERO), Some(Duration::from_secs(10)));
        tally.event(&started(0, "a", 0));
        tally.event(&started(3, "d", 0));
        assert_eq!(tally.estimate(Duration::from_secs(1)), Some(Duration::from_secs(9)));
        // 3 and 5, whatever else runs beside them.
        tally.event(&finished(0, "a", Status::Ran, 1_000));
        assert_eq!(tally.estimate(Duration::from_secs(1)), Some(Duration::from_secs(8)));
    }

    #[test]
    fn there_is_no_estimate_if_most_steps_are_new() {
        let events =
            [usual(0, "a", &[], Some(2_000)), usual(1, "b", &[], None), usual(2, "c", &[], None)];
        assert_eq!(with_jobs(1, &events).estimate(Duration::ZERO), None);
    }

    #[test]
    fn failures_are_counted_and_named() {
        let tally = tally(&[
            announced(0, "//x:a", &[]),
            announced(1, "//x:b", &[0]),
            finished(0, "//x:a", Status::Failed, 5),
            finished(1, "//x:b", Status::Skipped, 5),
        ]);
        assert_eq!(tally.failed, ["//x:a"]);
        let counts = Counts { total: 2, failed: 1, skipped: 1, ..Counts::default() };
        assert_eq!(tally.counts, counts);
        assert_eq!(tally.done(), 2);
    }
}
