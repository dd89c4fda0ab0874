//! What is said of bad input and of attacks, in full: a test for each line of the table of refusals.
//!
//! What retrievers do wrong is in the tests of retrievers.

mod content;
mod publishing;
mod servers;
mod versions;

use expect_test::Expect;
use regex::Regex;
use wake_tests::Finished;

/// That this was said and nothing else, apart from what differs from run to run; `names` are such texts with what stands for them.
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
