//! The cases that a test reports: as TAP on standard output, or in a JUnit XML file.

mod tap;
mod xml;

pub(crate) use tap::of_tap;
pub(crate) use xml::of_junit;

/// One test case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestCase {
    /// Its name, or else its number.
    pub(crate) name: String,
    /// Its outcome.
    pub(crate) end: CaseEnd,
    /// The message for the outcome, possibly empty.
    pub(crate) message: String,
}

/// The outcome of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaseEnd {
    /// It passed, or failed as expected.
    Passed,
    /// It failed.
    Failed,
    /// It was not run.
    Skipped,
}
