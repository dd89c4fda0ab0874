//! Test cases in JUnit XML. Source: the schema of the JUnit 10 report of Jenkins' xUnit plugin, and the output of pytest and
//! GoogleTest.
//!
//! The file is untrusted: only XML's five predefined entities are known, and depth and number are bounded.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

use super::{CaseEnd, TestCase};

/// The maximum nesting depth of elements.
const DEEPEST: usize = 100;
/// The maximum number of cases.
const MOST_CASES: usize = 100_000;
/// The maximum length of a case's message, in characters.
const LONGEST_MESSAGE: usize = 2000;

/// An error in a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub(crate) struct XmlFault {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The character in the line, from 1.
    pub(crate) column: usize,
    /// The problem.
    pub(crate) problem: String,
}

/// Parses the cases in a file; an error if it is not a valid report.
pub(crate) fn of_junit(bytes: &[u8]) -> Result<Vec<TestCase>, XmlFault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        fault(&String::from_utf8_lossy(valid), valid.len(), "not UTF-8")
    })?;
    // Some programs start the file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    loop {
        let start = position(reader.buffer_position());
        let event = reader.read_event().map_err(|error| {
            fault(text, position(reader.error_position()), &format!("invalid XML: {error}"))
        })?;
        match event {
            Event::Eof => break,
            event => reading.take(&event).map_err(|problem| fault(text, start, &problem))?,
        }
    }
    match (reading.depth, reading.has_root) {
        (0, true) => Ok(reading.cases),
        (0, false) => Err(fault(text, text.len(), "the report is empty")),
        _ => Err(fault(text, text.len(), "unexpected end of file")),
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn fault(text: &str, at: usize, problem: &str) -> XmlFault {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let (line, column) = (before.matches('\n').count() + 1, line.chars().count() + 1);
    XmlFault { line, column, problem: problem.to_owned() }
}

/// A report being parsed.
#[derive(Default)]
struct Reading {
    depth: usize,
    has_root: bool,
    cases: Vec<TestCase>,
    /// The depth of the current case.
    case_at: Option<usize>,
    /// Whether text here belongs to the case's message.
    is_said: bool,
}

impl Reading {
    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(element) => {
                self.begin(element)?;
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(format!("elements are nested more than {DEEPEST} levels deep"));
                }
            }
            Event::Empty(element) => {
                self.begin(element)?;
                self.end();
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.end();
            }
            Event::Text(text) if self.is_said => self.say(&text.xml10_content()),
            Event::CData(text) if self.is_said => self.say(&text.xml10_content()),
            Event::GeneralRef(_) if !self.is_said => {}
            Event::GeneralRef(entity) => {
                let known = match entity.resolve_char_ref() {
                    Ok(Some(char)) => Some(char),
                    _ => predefined(&entity.xml10_content()),
                };
                let known = known.ok_or_else(|| unknown(&entity.xml10_content()))?;
                self.say(known.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => {
                return Err("document type declarations are not allowed".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = element.local_name();
        if !self.has_root {
            self.has_root = true;
            if !matches!(name.as_ref(), "testsuites" | "testsuite") {
                return Err(format!(
                    "unexpected root element `{}`: expected `testsuites` or `testsuite`",
                    name.as_ref()
                ));
            }
        }
        match (name.as_ref(), self.case_at) {
            ("testcase", None) => {
                if self.cases.len() == MOST_CASES {
                    return Err(format!("more than {MOST_CASES} test cases"));
                }
                let case = case(element, self.cases.len() + 1)?;
                self.cases.push(case);
                self.case_at = Some(self.depth);
            }
            (name @ ("failure" | "error" | "skipped"), Some(depth)) if self.depth == depth + 1 => {
                let message = attribute(element, "message")?.unwrap_or_default();
                let Some(case) = self.cases.last_mut() else { return Ok(()) };
                let end = if name == "skipped" { CaseEnd::Skipped } else { CaseEnd::Failed };
                if case.end != CaseEnd::Failed {
                    (case.end, case.message) = (end, String::new());
                }
                // A failure without a message attribute has its message as text.
                self.is_said = message.is_empty() && case.message.is_empty();
                self.say(&message);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        self.is_said = false;
        if self.case_at == Some(self.depth) {
            self.case_at = None;
        }
    }

    fn say(&mut self, text: &str) {
        if let Some(case) = self.cases.last_mut() {
            let left = LONGEST_MESSAGE.saturating_sub(case.message.chars().count());
            case.message.extend(text.chars().take(left));
        }
    }
}

/// Makes a case from its start tag.
fn case(element: &BytesStart<'_>, number: usize) -> Result<TestCase, String> {
    let class = attribute(element, "classname")?.unwrap_or_default();
    let own = attribute(element, "name")?.unwrap_or_default();
    let name = match (class.is_empty(), own.is_empty()) {
        (_, true) => format!("case {number}"),
        (true, false) => own,
        (false, false) => format!("{class}.{own}"),
    };
    let not_run = attribute(element, "status")?.is_some_and(|status| status == "notrun");
    let end = if not_run { CaseEnd::Skipped } else { CaseEnd::Passed };
    Ok(TestCase { name, end, message: String::new() })
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element.try_get_attribute(name).map_err(|error| format!("invalid XML: {error}"))?;
    let Some(found) = found else { return Ok(None) };
    let value = found.normalized_value(XmlVersion::Implicit1_0);
    value.map(|value| Some(value.into_owned())).map_err(|error| format!("`{name}`: {error}"))
}

fn predefined(entity: &str) -> Option<char> {
    Some(match entity {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

fn unknown(entity: &str) -> String {
    format!("undefined entity `&{entity};`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<TestCase>, String> {
        of_junit(text.as_bytes()).map_err(|fault| fault.to_string())
    }

    fn case(name: &str, end: CaseEnd, message: &str) -> TestCase {
        TestCase { name: name.to_owned(), end, message: message.to_owned() }
    }

    #[test]
    fn reports_of_pytest_and_googletest_are_read() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="4">
<testcase classname="tests.test_a" name="test_good" time="0.001" />
<testcase classname="tests.test_a" name="test_bad[&lt;1&gt;]"><failure message="assert 1 == 2">def test_bad():
&gt; assert 1 == 2</failure><system-out>noise <failure/></system-out></testcase>
<testcase classname="tests.test_a" name="test_later"><skipped type="pytest.skip" message="no disk">x</skipped></testcase>
<testcase name="plain"><error><![CDATA[it <crashed>]]> &amp; burned &#33;</error></testcase>
<testcase name="DISABLED_x" status="notrun" classname="Suite"/>
<testcase/>
</testsuite></testsuites>"#;
        let expected = vec![
            case("tests.test_a.test_good", CaseEnd::Passed, ""),
            case("tests.test_a.test_bad[<1>]", CaseEnd::Failed, "assert 1 == 2"),
            case("tests.test_a.test_later", CaseEnd::Skipped, "no disk"),
            case("plain", CaseEnd::Failed, "it <crashed> & burned !"),
            case("Suite.DISABLED_x", CaseEnd::Skipped, ""),
            case("case 6", CaseEnd::Passed, ""),
        ];
        assert_eq!(read(text), Ok(expected));
        assert_eq!(read("\u{feff}<testsuite/>"), Ok(Vec::new()));
    }

    #[test]
    fn an_invalid_report_is_refused_with_its_place() {
        let deep = format!("<testsuites>{}", "<a>".repeat(200));
        let bomb =
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><testsuite name=\"&b;\"/>";
        for (text, expected) in [
            ("", "line 1, column 1: the report is empty"),
            ("all is well\n", "line 2, column 1: the report is empty"),
            (
                "<html><p>no</p></html>",
                "line 1, column 1: unexpected root element `html`: expected `testsuites` or `testsuite`",
            ),
            ("<testsuite>\n<testcase name='a'>", "line 2, column 20: unexpected end of file"),
            (bomb, "line 1, column 1: document type declarations are not allowed"),
            (
                "<testsuite><testcase name='a'><failure>&lol;</failure></testcase></testsuite>",
                "line 1, column 40: undefined entity `&lol;`",
            ),
            (&deep, "line 1, column 310: elements are nested more than 100 levels deep"),
        ] {
            assert_eq!(read(text).unwrap_err(), expected, "{text}");
        }
        for text in [
            "<testsuite><testcase></testsuite>",
            "<testsuite><testcase name='&lol;'/></testsuite>",
            "<testsuite name=",
        ] {
            assert!(read(text).unwrap_err().starts_with("line 1, column "), "{text}");
        }
        let binary = of_junit(b"<testsuite>\n\xff").unwrap_err();
        assert_eq!(binary.to_string(), "line 2, column 1: not UTF-8");
    }

    #[test]
    fn the_message_of_a_case_is_truncated() {
        let long = "x".repeat(100_000);
        let text = format!("<testsuite><testcase><failure>{long}</failure></testcase></testsuite>");
        assert_eq!(read(&text).unwrap()[0].message.len(), LONGEST_MESSAGE);
    }
}
