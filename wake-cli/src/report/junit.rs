//! The JUnit XML report of tests. Source: the schema of the JUnit 10 report of Jenkins' xUnit plugin.

use std::fmt::Write;

use wake_steps::event::ActionFinished;

use crate::report::cases::{CaseEnd, TestCase};
use crate::report::tests::{TestEnd, TestResults};

/// Renders the report: one suite, with one case for each test, or for each case that a test reports.
pub(crate) fn document(results: &TestResults) -> String {
    let of_case = |case: &TestCase| match case.end {
        CaseEnd::Passed => TestEnd::Passed,
        CaseEnd::Failed => TestEnd::Failed,
        CaseEnd::Skipped => TestEnd::NotRun,
    };
    let ends: Vec<TestEnd> = results
        .iter()
        .flat_map(|(label, end, _)| match results.cases(label) {
            [] => vec![end],
            cases => {
                // A failure without a failed case is reported for the test itself.
                let own = results.fails_by_itself(label, end).then_some(end);
                cases.iter().map(of_case).chain(own).collect()
            }
        })
        .collect();
    let count = |wanted: TestEnd| ends.iter().filter(|end| **end == wanted).count();
    let seconds: f64 = results.iter().filter_map(|(_, _, ended)| ended).map(time).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<testsuites tests=\"{0}\" failures=\"{1}\" skipped=\"{2}\" time=\"{seconds:.3}\">\n\
         <testsuite name=\"wake\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" skipped=\"{2}\" time=\"{seconds:.3}\">",
        ends.len(),
        count(TestEnd::Failed),
        count(TestEnd::NotRun),
    );
    for (label, end, ended) in results.iter() {
        match results.cases(label) {
            [] => push_case(&mut out, label, end, ended),
            cases => {
                cases.iter().for_each(|case| push_own_case(&mut out, label, case));
                if results.fails_by_itself(label, end) {
                    push_case(&mut out, label, end, ended);
                }
            }
        }
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn push_case(out: &mut String, label: &str, end: TestEnd, ended: Option<&ActionFinished>) {
    let (class, name) = label.rsplit_once(':').unwrap_or(("", label));
    let (class, name) = (escaped(class), escaped(name));
    let seconds = ended.map_or(0.0, time);
    let _ = write!(out, "<testcase classname=\"{class}\" name=\"{name}\" time=\"{seconds:.3}\">");
    match end {
        TestEnd::Failed => {
            let how = ended.and_then(|ended| ended.outcome.clone());
            let how = escaped(how.as_deref().unwrap_or("could not be run"));
            let faults = ended.map(|ended| ended.faults.join("\n")).unwrap_or_default();
            let _ = write!(out, "<failure message=\"{how}\">{}</failure>", escaped(&faults));
        }
        TestEnd::NotRun => {
            let why = ended.map_or("the build was stopped", |ended| ended.why.as_str());
            let _ = write!(out, "<skipped message=\"{}\"/>", escaped(why));
        }
        TestEnd::Passed => {}
    }
    if let Some(ended) = ended {
        for (tag, text) in [("system-out", &ended.stdout_tail), ("system-err", &ended.stderr_tail)]
        {
            if !text.is_empty() {
                let _ = write!(out, "<{tag}>{}</{tag}>", escaped(text));
            }
        }
    }
    out.push_str("</testcase>\n");
}

/// Appends a case that the test `label` reports, which has only a name, an outcome and a message.
fn push_own_case(out: &mut String, label: &str, case: &TestCase) {
    let message = escaped(&case.message);
    let inner = match (case.end, case.message.is_empty()) {
        (CaseEnd::Passed, _) => String::new(),
        (CaseEnd::Failed, true) => "<failure message=\"not ok\"></failure>".to_owned(),
        (CaseEnd::Failed, false) => format!("<failure message=\"{message}\"></failure>"),
        (CaseEnd::Skipped, true) => "<skipped/>".to_owned(),
        (CaseEnd::Skipped, false) => format!("<skipped message=\"{message}\"/>"),
    };
    let (class, name) = (escaped(label), escaped(&case.name));
    let _ = writeln!(out, "<testcase classname=\"{class}\" name=\"{name}\">{inner}</testcase>");
}

fn time(ended: &ActionFinished) -> f64 {
    ended.dur_ms as f64 / 1000.0
}

/// Escapes text for XML, replacing characters that XML cannot represent.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
