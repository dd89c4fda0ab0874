//! The full messages for bad input and attacks: one test for each line of the table of refusals.
//!
//! Faults of retrievers are covered by the tests of retrievers.

mod content;
mod publishing;
mod servers;
mod versions;

use expect_test::Expect;
use regex::Regex;
use wake_tests::Finished;

/// Checks that exactly this was printed, apart from what differs from run to run; `names` are such texts with their
/// placeholders.
#[track_caller]
pub(crate) fn says(finished: &Finished, names: &[(&str, &str)], expected: &Expect) {
    let mut said = finished.redacted_stderr();
    for (text, name) in names {
        said = said.replace(text, name);
    }
    for (shape, name) in [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\b\d+ of \d+ bytes\b", "[N] of [N] bytes"),
        (r"(failed to lookup address information): .*", "$1"),
        (r"20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?", "[DATE]"),
    ] {
        said = Regex::new(shape).unwrap().replace_all(&said, name).into_owned();
    }
    expected.assert_eq(&said);
}
