//! Past results of tests, which distinguish a broken test from a flaky one.
//!
//! A test that passed only after a retry was flaky in that run. So was a test that failed if it passed with the same
//! key in another run.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::{Deserialize, Serialize};
use wake_store::ConfinedPath;

/// How many runs of each test are kept.
const KEPT: usize = 20;
/// How many digits of a key are kept.
const DIGITS: usize = 16;
/// The largest file in bytes; a longer one was not written by wake.
const LARGEST: u64 = 16 << 20;

/// The past results of tests, by label.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TestPast {
    tests: BTreeMap<String, Vec<PastRun>>,
}

/// One run of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PastRun {
    /// The first digits of its key.
    key: String,
    end: PastEnd,
}

/// The result of a test run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastEnd {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It failed, and passed after a retry.
    Flaky,
}

/// How often a test was flaky.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flakiness {
    /// The runs in which it was flaky.
    pub flaky: usize,
    /// All known runs.
    pub runs: usize,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    test: String,
    runs: Vec<PastRun>,
}

impl TestPast {
    /// Reads `file`, ignoring invalid lines.
    pub(crate) fn read(file: &ConfinedPath) -> TestPast {
        let bytes = file.read(LARGEST).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        TestPast { tests: lines.map(|Line { test, runs }| (test, runs)).collect() }
    }

    /// Writes everything to `file`; if that would be too large, only tests that have ever failed.
    pub(crate) fn write(&self, file: &ConfinedPath) -> io::Result<()> {
        let all = self.lines(|_| true);
        let is_large = all.len() as u64 > LARGEST;
        let has_failed = |runs: &[PastRun]| runs.iter().any(|run| run.end != PastEnd::Passed);
        let lines = if is_large { self.lines(has_failed) } else { all };
        file.replace_by(&[lines.as_bytes()])
    }

    fn lines(&self, wanted: impl Fn(&[PastRun]) -> bool) -> String {
        let mut text = String::new();
        for (test, runs) in self.tests.iter().filter(|(_, runs)| wanted(runs)) {
            let line = Line { test: test.clone(), runs: runs.clone() };
            // Only maps with keys other than texts cannot be written.
            text.push_str(&serde_json::to_string(&line).unwrap_or_default());
            text.push('\n');
        }
        text
    }

    /// Records a run of a test.
    pub fn note(&mut self, test: &str, key: &str, end: PastEnd) {
        let digits = key.rsplit(':').next().unwrap_or(key);
        let key = digits.chars().take(DIGITS).collect();
        let runs = self.tests.entry(test.to_owned()).or_default();
        runs.push(PastRun { key, end });
        runs.drain(..runs.len().saturating_sub(KEPT));
    }

    /// Returns how often a test was flaky, if at all.
    pub fn flakiness(&self, test: &str) -> Option<Flakiness> {
        let runs = self.tests.get(test)?;
        let passes = runs.iter().filter(|run| run.end != PastEnd::Failed);
        let passed: BTreeSet<&str> = passes.map(|run| run.key.as_str()).collect();
        let is_flaky = |run: &&PastRun| match run.end {
            PastEnd::Passed => false,
            PastEnd::Flaky => true,
            PastEnd::Failed => passed.contains(run.key.as_str()),
        };
        let flaky = runs.iter().filter(is_flaky).count();
        (flaky > 0).then_some(Flakiness { flaky, runs: runs.len() })
    }

    /// Returns all flaky tests, with how often they were.
    pub fn flaky(&self) -> impl Iterator<Item = (&str, Flakiness)> {
        self.tests.keys().filter_map(|test| Some((test.as_str(), self.flakiness(test)?)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failure_is_flaky_only_if_the_same_key_passed() {
        let mut past = TestPast::default();
        past.note("//:a", "blake3:01", PastEnd::Failed);
        past.note("//:a", "blake3:02", PastEnd::Passed);
        assert_eq!(past.flakiness("//:a"), None);
        past.note("//:a", "blake3:01", PastEnd::Passed);
        assert_eq!(past.flakiness("//:a"), Some(Flakiness { flaky: 1, runs: 3 }));
        past.note("//:b", "blake3:03", PastEnd::Flaky);
        let all: Vec<_> = past.flaky().map(|(test, found)| (test, found.flaky)).collect();
        assert_eq!(all, [("//:a", 1), ("//:b", 1)]);
        assert_eq!(past.flakiness("//:unknown"), None);
    }

    #[test]
    fn the_last_twenty_runs_are_kept_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = ConfinedPath::top(dir.path()).unwrap().join("state/tests");
        let mut past = TestPast::default();
        for number in 0..25 {
            let end = if number % 5 == 0 { PastEnd::Flaky } else { PastEnd::Passed };
            past.note("//:a b=\"c\"\n", &format!("blake3:{number:032}"), end);
        }
        assert_eq!(past.flakiness("//:a b=\"c\"\n"), Some(Flakiness { flaky: 4, runs: 20 }));
        past.write(&file).unwrap();
        assert_eq!(TestPast::read(&file), past);
        std::fs::write(file.path(), "{\"test\":1}\n\0\n").unwrap();
        assert_eq!(TestPast::read(&file), TestPast::default());
    }
}
