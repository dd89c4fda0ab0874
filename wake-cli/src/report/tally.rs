//! Where a build stands, kept from its events.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use wake_build::event::{Counts, Event, Status};

/// The steps of a build with what is known of each.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    steps: HashMap<usize, Step>,
    dependents: HashMap<usize, Vec<usize>>,
    running: BTreeMap<usize, Running>,
    ready: usize,
    usual: Usual,
    /// What became of the steps so far; `total` is the steps announced.
    pub(crate) counts: Counts,
    /// The labels of the failed steps, in the order of their failing.
    pub(crate) failed: Vec<String>,
}

#[derive(Debug)]
struct Step {
    /// Needs that are not done.
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

/// A command that runs now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Running {
    /// What a person calls it.
    pub(crate) label: String,
    /// When it started, since the start of the build.
    pub(crate) since: Duration,
    /// How long it took last time.
    pub(crate) usual: Option<Duration>,
}

/// The known durations of the steps that have not started.
#[derive(Debug, Default)]
struct Usual {
    known: usize,
    sum_ms: u64,
}

/// How many steps are in each part of the bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Nothing more happens to them.
    pub(crate) done: usize,
    /// Their command runs.
    pub(crate) running: usize,
    /// All that they need is there.
    pub(crate) ready: usize,
    /// Whether they run depends on what comes of others.
    pub(crate) unknown: usize,
}

impl Tally {
    /// Takes one event into account.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Announced { id, needs, usual_ms, .. } => self.announce(*id, needs, *usual_ms),
            Event::ActionStarted { id, label, t_ms, .. } => self.start(*id, label, *t_ms),
            Event::ActionFinished(finished) => {
                self.finish(finished.id, finished.status);
                if finished.status == Status::Failed {
                    self.failed.push(finished.label.clone());
                }
            }
            _ => {}
        }
    }

    /// The commands that run now, the one that began first at the front.
    pub(crate) fn running(&self) -> Vec<&Running> {
        let mut running: Vec<_> = self.running.values().collect();
        running.sort_by_key(|running| running.since);
        running
    }

    /// Steps to which nothing more happens.
    pub(crate) fn done(&self) -> usize {
        let Counts { total: _, hit, ran, failed, skipped, aborted } = self.counts;
        hit + ran + failed + skipped + aborted
    }

    /// The steps by the part of the bar that they take.
    pub(crate) fn parts(&self) -> Parts {
        let (done, running) = (self.done(), self.running.len());
        let unknown = self.counts.total.saturating_sub(done + running + self.ready);
        Parts { done, running, ready: self.ready, unknown }
    }

    /// How long the rest may take with `jobs` commands at once, if most of it ran before.
    ///
    /// An upper guess: what turns out to be remembered costs nothing.
    pub(crate) fn estimate(&self, now: Duration, jobs: usize) -> Option<Duration> {
        let Parts { running, ready, unknown, .. } = self.parts();
        let waiting = ready + unknown;
        if self.usual.known * 2 < waiting || waiting + running == 0 {
            return None;
        }
        let mean_ms = self.usual.sum_ms.checked_div(self.usual.known as u64).unwrap_or(0);
        let unknown_ms = mean_ms * (waiting - self.usual.known.min(waiting)) as u64;
        let mut sum = Duration::from_millis(self.usual.sum_ms + unknown_ms);
        let mut longest = Duration::ZERO;
        for running in self.running.values() {
            let left = running.usual?.saturating_sub(now.saturating_sub(running.since));
            sum += left;
            longest = longest.max(left);
        }
        Some((sum / jobs.max(1) as u32).max(longest))
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
        self.ready += usize::from(phase == Phase::Ready);
        self.usual.known += usize::from(usual_ms.is_some());
        self.usual.sum_ms += usual_ms.unwrap_or(0);
        self.counts.total += 1;
        self.steps.insert(id, Step { open: open.len(), usual_ms, phase });
    }

    fn start(&mut self, id: usize, label: &str, t_ms: u64) {
        self.leave(id, Phase::Running);
        let usual = self.steps.get(&id).and_then(|step| step.usual_ms).map(Duration::from_millis);
        let since = Duration::from_millis(t_ms);
        self.running.insert(id, Running { label: label.to_owned(), since, usual });
    }

    fn finish(&mut self, id: usize, status: Status) {
        self.leave(id, Phase::Done);
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
            self.need_done(dependent);
        }
    }

    fn need_done(&mut self, id: usize) {
        let Some(step) = self.steps.get_mut(&id) else { return };
        step.open = step.open.saturating_sub(1);
        if step.open == 0 && step.phase == Phase::Unknown {
            step.phase = Phase::Ready;
            self.ready += 1;
        }
    }

    /// Takes a step out of the part of the bar that it was in.
    fn leave(&mut self, id: usize, next: Phase) {
        let Some(step) = self.steps.get_mut(&id) else { return };
        if matches!(step.phase, Phase::Ready | Phase::Unknown) {
            self.ready -= usize::from(step.phase == Phase::Ready);
            self.usual.known -= usize::from(step.usual_ms.is_some());
            self.usual.sum_ms -= step.usual_ms.unwrap_or(0);
        }
        step.phase = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::{announced, finished, started};

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
        // Announced late, what it needs already done.
        events.push(announced(3, "d", &[0]));
        assert_eq!(tally(&events).parts(), parts(2, 0, 2, 0));
    }

    #[test]
    fn the_estimate_is_work_over_jobs_but_no_less_than_what_runs() {
        let usual = |id, label: &str, ms| match announced(id, label, &[]) {
            Event::Announced { id, label, needs, requested, .. } => {
                Event::Announced { id, label, needs, requested, usual_ms: ms }
            }
            other => other,
        };
        let events = [usual(0, "a", Some(10_000)), usual(1, "b", Some(4_000)), usual(2, "c", None)];
        let mut tally = tally(&events);
        // 10 + 4 and the mean, 7, for the stranger.
        assert_eq!(tally.estimate(Duration::ZERO, 1), Some(Duration::from_secs(21)));
        tally.event(&started(0, "a", 0));
        tally.event(&finished(2, "c", Status::Hit, 0));
        let now = Duration::from_secs(1);
        assert_eq!(tally.estimate(now, 4), Some(Duration::from_secs(9)));
        tally.event(&finished(1, "b", Status::Hit, 0));
        tally.event(&finished(0, "a", Status::Ran, 0));
        assert_eq!(tally.estimate(now, 4), None);
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
