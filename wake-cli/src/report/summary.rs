//! The summary of a build.

use wake_steps::event::{Counts, Event};

use crate::terminal::escape;
use crate::terminal::words;

/// How a build ended, from its last event and the tally.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary<'a> {
    /// The exit code of the program.
    pub(crate) exit: u8,
    /// The outcomes of the steps.
    pub(crate) counts: Counts,
    /// Milliseconds from start to end.
    pub(crate) wall_ms: u64,
    /// Milliseconds that cached results originally took.
    pub(crate) saved_ms: u64,
    /// The labels of the failed steps.
    pub(crate) failed: &'a [String],
    /// The number of reported errors.
    pub(crate) errors: usize,
    /// The overrides of published packages.
    pub(crate) overrides: &'a [String],
}

/// The verdict on a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Everything requested is there.
    Finished,
    /// Something failed.
    Failed,
    /// It was interrupted.
    Interrupted,
}

impl<'a> Summary<'a> {
    /// Reads the last event of a build; `None` for any other event.
    pub(crate) fn of(event: &'a Event, failed: &'a [String], errors: usize) -> Option<Self> {
        let Event::Finished { exit, counts, wall_ms, saved_ms, overrides, .. } = event else {
            return None;
        };
        let (exit, counts) = (*exit, *counts);
        let (wall_ms, saved_ms) = (*wall_ms, *saved_ms);
        Some(Summary { exit, counts, wall_ms, saved_ms, failed, errors, overrides })
    }

    /// Returns the verdict.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.exit {
            0 => Verdict::Finished,
            // 128 plus the number of the signal that stopped it.
            129.. => Verdict::Interrupted,
            _ => Verdict::Failed,
        }
    }

    /// Returns the sentence after the verdict.
    pub(crate) fn sentence(&self) -> String {
        let overridden = match self.overrides {
            [] => String::new(),
            overrides => format!("; overridden: {}", list(overrides, 5)),
        };
        self.ending() + &overridden
    }

    fn ending(&self) -> String {
        let Counts { total, hit, ran, failed, .. } = self.counts;
        let (actions, wall) = (words::count(total, "action"), words::span_ms(self.wall_ms));
        match self.verdict() {
            Verdict::Finished => {
                let how = match (hit, ran) {
                    (_, 0) if total > 0 => ", all cached,".to_owned(),
                    (0, _) => String::new(),
                    (hit, ran) => format!(" ({hit} hit, {ran} ran)"),
                };
                format!("{actions}{how} in {wall}{}", self.saved())
            }
            Verdict::Failed if failed == 0 => {
                let errors = words::count(self.errors.max(1), "error");
                format!("{errors} in {wall}{}", self.rest(": "))
            }
            Verdict::Failed => {
                let labels = list(self.failed, 5);
                format!("{failed} of {actions} failed in {wall}: {labels}{}", self.rest("; "))
            }
            Verdict::Interrupted => format!("after {wall}{}", self.rest(": ")),
        }
    }

    /// Describes the other steps: `; 181 ok (96 hit, 85 ran), 2 skipped`.
    fn rest(&self, lead: &str) -> String {
        let Counts { total: _, hit, ran, failed: _, skipped, aborted } = self.counts;
        let ok = match (hit, ran) {
            (0, 0) => None,
            (hit, 0) => Some(format!("{hit} ok, all cached")),
            (0, ran) => Some(format!("{ran} ok")),
            (hit, ran) => Some(format!("{} ok ({hit} hit, {ran} ran)", hit + ran)),
        };
        let skipped = (skipped > 0).then(|| format!("{skipped} skipped"));
        let aborted = (aborted > 0).then(|| format!("{aborted} not done"));
        let parts: Vec<String> = [ok, skipped, aborted].into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!("{lead}{}", parts.join(", ")) }
    }

    fn saved(&self) -> String {
        if self.saved_ms < 100 {
            return String::new();
        }
        format!(" (saved ~{})", words::span_ms(self.saved_ms))
    }
}

/// Lists the first `most` of `labels`, and how many more there are.
pub(crate) fn list(labels: &[String], most: usize) -> String {
    let shown: Vec<_> = labels.iter().take(most).map(|label| escape::line(label)).collect();
    let more = labels.len().saturating_sub(most);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(exit: u8, counts: Counts) -> Summary<'static> {
        Summary {
            exit,
            counts,
            wall_ms: 101_000,
            saved_ms: 0,
            failed: &[],
            errors: 0,
            overrides: &[],
        }
    }

    #[test]
    fn a_build_that_did_nothing_says_what_it_saved() {
        let counts = Counts { total: 182, hit: 182, ..Counts::default() };
        let ending = Summary { wall_ms: 40, saved_ms: 372_000, ..ending(0, counts) };
        assert_eq!(ending.sentence(), "182 actions, all cached, in 0.04s (saved ~6m12s)");
    }

    #[test]
    fn builds_that_did_something() {
        let mixed = Counts { total: 182, hit: 96, ran: 86, ..Counts::default() };
        assert_eq!(ending(0, mixed).sentence(), "182 actions (96 hit, 86 ran) in 1m41s");
        let cold = Counts { total: 1, ran: 1, ..Counts::default() };
        assert_eq!(ending(0, cold).sentence(), "1 action in 1m41s");
        assert_eq!(ending(0, Counts::default()).sentence(), "0 actions in 1m41s");
    }

    #[test]
    fn failures_name_the_failed() {
        let counts =
            Counts { total: 184, hit: 96, ran: 85, failed: 1, skipped: 2, ..Counts::default() };
        let failed = ["//web:bundle".to_owned()];
        let ending = Summary { failed: &failed, ..ending(1, counts) };
        assert_eq!(
            ending.sentence(),
            "1 of 184 actions failed in 1m41s: //web:bundle; 181 ok (96 hit, 85 ran), 2 skipped"
        );
    }

    #[test]
    fn errors_before_any_action() {
        let ending = Summary { errors: 2, wall_ms: 30, ..ending(5, Counts::default()) };
        assert_eq!(ending.sentence(), "2 errors in 0.03s");
    }

    #[test]
    fn an_interruption_is_reported_as_such() {
        let counts = Counts { total: 10, hit: 3, ran: 2, aborted: 5, ..Counts::default() };
        let ending = ending(130, counts);
        assert_eq!(ending.verdict(), Verdict::Interrupted);
        assert_eq!(Summary { exit: 143, ..ending }.verdict(), Verdict::Interrupted);
        assert_eq!(ending.sentence(), "after 1m41s: 5 ok (3 hit, 2 ran), 5 not done");
    }

    #[test]
    fn overrides_are_reported_whatever_the_outcome() {
        let overrides = ["acme/tls by //libs/tls".to_owned()];
        let cold = Counts { total: 1, ran: 1, ..Counts::default() };
        let said = |exit| Summary { overrides: &overrides, ..ending(exit, cold) }.sentence();
        assert_eq!(said(0), "1 action in 1m41s; overridden: acme/tls by //libs/tls");
        assert_eq!(said(5), "1 error in 1m41s: 1 ok; overridden: acme/tls by //libs/tls");
    }

    #[test]
    fn long_lists_are_truncated() {
        let labels: Vec<String> = (0..7).map(|at| format!("//a:{at}")).collect();
        assert_eq!(list(&labels, 2), "//a:0, //a:1 and 5 more");
        assert_eq!(list(&labels[..2], 2), "//a:0, //a:1");
    }
}
