//! The results of a build's tests, from its events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use wake_steps::event::{ActionFinished, Event, Reporter, Status};

use crate::report::cases::{CaseEnd, TestCase};

/// The results of tests, by step number.
#[derive(Debug, Default)]
pub(crate) struct TestResults {
    announced: BTreeMap<usize, String>,
    ended: BTreeMap<usize, ActionFinished>,
    /// The cases that tests report, by label.
    cases: BTreeMap<String, Vec<TestCase>>,
}

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestEnd {
    /// It passed, now or before.
    Passed,
    /// It failed.
    Failed,
    /// It was not run.
    NotRun,
}

impl TestResults {
    /// Returns each selected test, with its outcome.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, TestEnd, Option<&ActionFinished>)> {
        self.announced.iter().map(|(id, label)| {
            let ended = self.ended.get(id);
            (label.as_str(), ended.map_or(TestEnd::NotRun, TestEnd::of), ended)
        })
    }

    /// Returns the cases that a test reports; empty if it reports none.
    pub(crate) fn cases(&self, label: &str) -> &[TestCase] {
        self.cases.get(label).map_or(&[], Vec::as_slice)
    }

    /// Whether a test failed without reporting a failed case.
    pub(crate) fn fails_by_itself(&self, label: &str, end: TestEnd) -> bool {
        let has_failed = |case: &TestCase| case.end == CaseEnd::Failed;
        end == TestEnd::Failed && !self.cases(label).iter().any(has_failed)
    }

    /// Stores the cases of each test, as returned by `read`.
    pub(crate) fn read_cases(
        &mut self,
        mut read: impl FnMut(&ActionFinished) -> Option<Vec<TestCase>>,
    ) {
        for ended in self.ended.values() {
            if let Some(cases) = read(ended) {
                self.cases.insert(ended.label.clone(), cases);
            }
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Announced { id, label, test: true, .. } => {
                self.announced.insert(*id, label.clone());
            }
            Event::ActionFinished(finished) if self.announced.contains_key(&finished.id) => {
                self.ended.insert(finished.id, (**finished).clone());
            }
            _ => {}
        }
    }
}

impl TestEnd {
    fn of(finished: &ActionFinished) -> TestEnd {
        match finished.status {
            Status::Ran | Status::Hit => TestEnd::Passed,
            Status::Failed => TestEnd::Failed,
            Status::Skipped | Status::Aborted => TestEnd::NotRun,
        }
    }
}

/// A reporter that passes events on, and collects the results of tests.
pub(crate) struct TestListener {
    inner: Box<dyn Reporter>,
    results: Rc<RefCell<TestResults>>,
}

impl TestListener {
    /// Makes a listener in front of `inner`, and the results it will collect.
    pub(crate) fn new(inner: Box<dyn Reporter>) -> (TestListener, Rc<RefCell<TestResults>>) {
        let results = Rc::<RefCell<TestResults>>::default();
        (TestListener { inner, results: Rc::clone(&results) }, results)
    }
}

impl Reporter for TestListener {
    fn event(&mut self, event: &Event) {
        self.results.borrow_mut().event(event);
        self.inner.event(event);
    }

    fn tick(&mut self) {
        self.inner.tick();
    }

    fn take_fault(&mut self) -> Option<io::Error> {
        self.inner.take_fault()
    }
}
