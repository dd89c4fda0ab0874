//! `wake log --critical-path`: the critical path of a build.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;

use serde::Serialize;
use wake_steps::event::{ActionFinished, Event, Status};

use crate::command::log::past::PastRun;
use crate::exit::Outcome;
use crate::print;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::width::{columns, pad};
use crate::terminal::words;

/// Prints the critical path of a run, with the duration of each step.
pub(super) fn run(past: &PastRun, as_json: bool, style: Style, out: &mut impl Write) -> Outcome {
    let path = CriticalPath::of(past);
    if as_json {
        return print::json(&path, out);
    }
    print::text(&path.text(style), out)
}

/// The chain of steps, each needing the one before it, that took longest.
///
/// More jobs could not have made the build shorter than the work of this chain. The time before the chain, its waiting
/// and work, and the time after it add up to the duration of the build.
#[derive(Debug, PartialEq, Serialize)]
struct CriticalPath {
    run: String,
    /// The maximum number of parallel commands.
    jobs: usize,
    /// From start to end; `None` if the log is incomplete.
    wall_ms: Option<u64>,
    /// Until all needs of the first step were done: mostly evaluating and planning.
    before_ms: u64,
    /// The total work of the steps.
    total_ms: u64,
    /// The total waiting time.
    waited_ms: u64,
    /// From the end of the last step to the end of the build.
    after_ms: Option<u64>,
    /// The steps, in order.
    steps: Vec<Link>,
}

/// One step of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Link {
    id: usize,
    label: String,
    status: Status,
    /// Waiting for its other needs or for a slot: from the end of the previous step, or for the first from when it was ready,
    /// until its command started or it was looked up.
    waited_ms: u64,
    /// From there to its end.
    took_ms: u64,
    /// When it ended, since the start of the build.
    end_ms: u64,
}

/// The longest chain that ends in a step.
#[derive(Clone, Copy)]
struct Chain {
    took_ms: u64,
    before: Option<usize>,
}

impl CriticalPath {
    fn of(past: &PastRun) -> CriticalPath {
        let performed = past.ended().filter_map(Link::of);
        let ended: HashMap<usize, Link> = performed.map(|link| (link.id, link)).collect();
        let steps = links(&longest(past, &ended), &ended);
        let wall_ms = past.end().map(|end| end.wall_ms);
        let end_ms = steps.last().map_or(0, |link| link.end_ms);
        let total_ms = steps.iter().map(|link| link.took_ms).sum();
        let waited_ms = steps.iter().map(|link| link.waited_ms).sum();
        CriticalPath {
            run: past.run.clone(),
            jobs: past.start().jobs,
            wall_ms,
            before_ms: end_ms.saturating_sub(total_ms + waited_ms),
            total_ms,
            waited_ms,
            after_ms: wall_ms.map(|wall_ms| wall_ms.saturating_sub(end_ms)),
            steps,
        }
    }

    fn text(&self, style: Style) -> String {
        let run = self.run.split('-').next().unwrap_or(&self.run);
        let mut text = match self.wall_ms {
            Some(wall_ms) => format!("run {run} took {}", words::span_ms(wall_ms)),
            None => format!("run {run} was cut short"),
        };
        if self.steps.is_empty() {
            return text + "; it ran no steps\n";
        }
        let steps = words::count(self.steps.len(), "step");
        let [total, waited] = [self.total_ms, self.waited_ms].map(words::span_ms);
        text +=
            &format!("; its critical path is {steps}: {total} of work and {waited} of waiting\n");
        let mut lines = vec![(self.before_ms, "before the first step".to_owned(), String::new())];
        for link in &self.steps {
            let label = escape::line(&link.label).into_owned();
            lines.push((link.took_ms, label, link.remark()));
        }
        lines.extend(self.after_ms.map(|ms| (ms, "after the last step".to_owned(), String::new())));
        let room = lines.iter().map(|(_, label, _)| columns(label)).max().unwrap_or(0);
        for (ms, label, remark) in lines {
            let line = format!("{}  {remark}", pad(&label, room));
            let span = style.paint(Role::Guide, format_args!("{:>8}", words::span_ms(ms)));
            text += &format!("{span}  {}\n", line.trim_end());
        }
        if self.waited_ms > self.total_ms {
            let jobs = words::count(self.jobs, "job");
            text += &format!("most of this was spent waiting for one of {jobs}\n");
        }
        text
    }
}

impl Link {
    /// Makes a link of a step, if it was performed.
    fn of(finished: &ActionFinished) -> Option<Link> {
        if matches!(finished.status, Status::Skipped | Status::Aborted) {
            return None;
        }
        let end_ms = finished.t_ms;
        let start_ms = finished.start_ms.unwrap_or(end_ms).min(end_ms);
        let ready_ms = finished.ready_ms.unwrap_or(start_ms);
        Some(Link {
            id: finished.id,
            label: finished.label.clone(),
            status: finished.status,
            waited_ms: start_ms.saturating_sub(ready_ms),
            took_ms: end_ms - start_ms,
            end_ms,
        })
    }

    /// Returns a remark on the step.
    fn remark(&self) -> String {
        let how = match self.status {
            Status::Ran => None,
            status => Some(status.to_string()),
        };
        let waited = (self.waited_ms >= WORTH_SAYING_MS)
            .then(|| format!("after waiting {}", words::span_ms(self.waited_ms)));
        how.into_iter().chain(waited).collect::<Vec<_>>().join(", ")
    }
}

/// A shorter wait is not mentioned.
const WORTH_SAYING_MS: u64 = 10;

/// Returns the steps of the longest chain; ties go to the one that ended last, then to the first announced.
fn longest(past: &PastRun, ended: &HashMap<usize, Link>) -> Vec<usize> {
    let mut chains: HashMap<usize, Chain> = HashMap::new();
    let rank = |chains: &HashMap<usize, Chain>, id: usize| {
        let (chain, step) = (chains.get(&id)?, ended.get(&id)?);
        Some((chain.took_ms, step.end_ms, Reverse(id)))
    };
    let best = |chains: &HashMap<usize, Chain>, ids: &mut dyn Iterator<Item = usize>| {
        let id = ids.filter_map(|id| rank(chains, id)).max().map(|(_, _, Reverse(id))| id);
        id.and_then(|id| Some((id, *chains.get(&id)?)))
    };
    // Steps are announced after their needs, so one pass is enough, and a log that was
    // tampered with cannot cause a cycle.
    for event in &past.events {
        let Event::Announced { id, needs, .. } = event else { continue };
        let Some(step) = ended.get(id).filter(|_| !chains.contains_key(id)) else { continue };
        let before = best(&chains, &mut needs.iter().copied());
        let took_ms = step.took_ms + before.map_or(0, |(_, chain)| chain.took_ms);
        chains.insert(*id, Chain { took_ms, before: before.map(|(id, _)| id) });
    }
    let mut ids = Vec::new();
    let mut next = best(&chains, &mut chains.keys().copied());
    while let Some((id, chain)) = next {
        ids.push(id);
        next = chain.before.and_then(|id| Some((id, *chains.get(&id)?)));
    }
    ids.reverse();
    ids
}

/// Makes the links of the chain, each waiting since the end of the one before.
fn links(ids: &[usize], ended: &HashMap<usize, Link>) -> Vec<Link> {
    let mut links: Vec<Link> = ids.iter().filter_map(|id| ended.get(id).cloned()).collect();
    for at in 1..links.len() {
        let start_ms = links[at].end_ms - links[at].took_ms;
        links[at].waited_ms = start_ms.saturating_sub(links[at - 1].end_ms);
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::{action, announced, begun};
    use wake_steps::event::Counts;

    const PLAIN: Style = Style { color: false, unicode: true };

    fn done(id: usize, label: &str, status: Status, times: (u64, u64, u64)) -> Event {
        let mut finished = action(id, label, status, times.2);
        (finished.ready_ms, finished.start_ms) = (Some(times.0), Some(times.1));
        Event::ActionFinished(Box::new(finished))
    }

    fn past(mut events: Vec<Event>, wall_ms: Option<u64>) -> PastRun {
        events.insert(0, begun("strict"));
        events.extend(wall_ms.map(|wall_ms| Event::Finished {
            exit: 0,
            classes: Vec::new(),
            counts: Counts::default(),
            wall_ms,
            saved_ms: 0,
            overrides: Vec::new(),
        }));
        let (run, text) = ("7f3a-b-c".to_owned(), String::new());
        PastRun { run, ended: std::time::SystemTime::UNIX_EPOCH, text, events }
    }

    /// `c` needs `a` and `b`; `b` took longer, though `a` ended last; nothing waited for `d`.
    fn diamond() -> Vec<Event> {
        vec![
            announced(0, "//:a", &[]),
            announced(1, "//:b", &[]),
            announced(2, "//:c", &[0, 1]),
            announced(3, "//:d", &[]),
            done(1, "//:b", Status::Ran, (200, 250, 900)),
            done(0, "//:a", Status::Hit, (200, 900, 1_000)),
            done(3, "//:d", Status::Ran, (200, 1_000, 2_900)),
            done(2, "//:c", Status::Ran, (1_000, 1_500, 3_000)),
        ]
    }

    #[test]
    fn the_critical_path_is_the_longest_chain_and_adds_up() {
        let path = CriticalPath::of(&past(diamond(), Some(3_100)));
        let chain: Vec<_> = path.steps.iter().map(|link| link.label.as_str()).collect();
        assert_eq!(chain, ["//:b", "//:c"]);
        let CriticalPath { before_ms, total_ms, waited_ms, after_ms, .. } = path;
        assert_eq!((before_ms, total_ms, waited_ms), (200, 2_150, 650));
        assert_eq!(before_ms + total_ms + waited_ms + after_ms.unwrap_or(0), 3_100);
        assert_eq!(
            path.text(PLAIN),
            "run 7f3a took 3.1s; its critical path is 2 steps: 2.2s of work and 0.65s of waiting
   0.20s  before the first step
   0.65s  //:b                   after waiting 0.05s
    1.5s  //:c                   after waiting 0.60s
   0.10s  after the last step
"
        );
    }

    #[test]
    fn waiting_is_reported_where_it_dominates() {
        let events = vec![
            announced(0, "//:a", &[]),
            announced(1, "//:b", &[0]),
            done(0, "//:a", Status::Ran, (0, 900, 1_000)),
            done(1, "//:b", Status::Failed, (1_000, 1_005, 1_100)),
        ];
        let text = CriticalPath::of(&past(events, Some(1_100))).text(PLAIN);
        assert_eq!(
            text,
            "run 7f3a took 1.1s; its critical path is 2 steps: 0.20s of work and 0.91s of waiting
   0.00s  before the first step
   0.10s  //:a                   after waiting 0.90s
   0.10s  //:b                   failed
   0.00s  after the last step
most of this was spent waiting for one of 2 jobs
"
        );
    }

    #[test]
    fn aborted_steps_are_not_on_the_critical_path() {
        let mut events = diamond();
        events.push(announced(4, "//:e", &[2]));
        events.push(done(4, "//:e", Status::Aborted, (3_000, 3_000, 9_000)));
        let path = CriticalPath::of(&past(events, None));
        assert_eq!(path.steps.last().map(|link| link.id), Some(2));
        assert_eq!((path.wall_ms, path.after_ms), (None, None));
    }

    #[test]
    fn a_build_without_steps_has_no_critical_path() {
        let path = CriticalPath::of(&past(Vec::new(), Some(12)));
        assert_eq!(path.text(PLAIN), "run 7f3a took 0.01s; it ran no steps\n");
    }

    #[test]
    fn a_log_with_a_cycle_or_without_times_is_read() {
        let mut first = action(0, "a", Status::Ran, 5);
        (first.ready_ms, first.start_ms) = (None, None);
        let events = vec![
            announced(0, "a", &[1]),
            announced(1, "b", &[0]),
            Event::ActionFinished(Box::new(first)),
            done(1, "b", Status::Ran, (9, 3, 4)),
        ];
        let path = CriticalPath::of(&past(events, None));
        assert_eq!(path.steps.iter().map(|link| link.id).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((path.total_ms, path.waited_ms), (1, 0));
    }
}
