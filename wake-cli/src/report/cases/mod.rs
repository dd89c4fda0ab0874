//! The cases that a test says it has run: in TAP on standard output, or as JUnit writes them in a file.

mod tap;
mod xml;

pub(crate) use tap::of_tap;
pub(crate) use xml::of_junit;

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestCase {
    /// What it is called; its number if it has no name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) end: CaseEnd,
    /// What is said of that; empty if nothing is.
    pub(crate) message: String,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaseEnd {
    /// As it should: passed, or failed and known to.
    Passed,
    /// It failed.
    Failed,
    /// It was not run.
    Skipped,
}
