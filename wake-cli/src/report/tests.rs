//! What came of the tests of a build, heard from its events.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use wake_steps::event::{ActionFinished, Event, Reporter, Status};

use crate::report::cases::{CaseEnd, TestCase};

/// What came of each test, by its number.
#[derive(Debug, Default)]
pub(crate) struct TestResults {
    announced: BTreeMap<usize, String>,
    ended: BTreeMap<usize, ActionFinished>,
    /// The cases that they say they have run, by their labels.
    cases: BTreeMap<String, Vec<TestCase>>,
}

/// How a test ended.
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
    /// Each test that was to be run, with how it ended.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, TestEnd, Option<&ActionFinished>)> {
        self.announced.iter().map(|(id, label)| {
            let ended = self.ended.get(id);
            (label.as_str(), ended.map_or(TestEnd::NotRun, TestEnd::of), ended)
        })
    }

    /// The cases that a test says it has run; none if it says nothing of the kind.
    pub(crate) fn cases(&self, label: &str) -> &[TestCase] {
        self.cases.get(label).map_or(&[], Vec::as_slice)
    }

    /// Whether a test failed without a word of any case that did.
    pub(crate) fn fails_by_itself(&self, label: &str, end: TestEnd) -> bool {
        let has_failed = |case: &TestCase| case.end == CaseEnd::Failed;
        end == TestEnd::Failed && !self.cases(label).iter().any(has_failed)
    }

    /// Takes the cases of each test, which `read` finds.
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

/// Passes events on, and keeps what they say of tests.
pub(crate) struct TestListener {
    inner: Box<dyn Reporter>,
    results: Rc<RefCell<TestResults>>,
}

impl TestListener {
    /// A listener in front of `inner`, and where what it hears is found.
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
