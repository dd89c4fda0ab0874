//! Test cases in the Test Anything Protocol. Source: TAP version 14.

use super::{CaseEnd, TestCase};

/// Parses the cases of a test's output; `None` if it is not TAP. Only the overall result of subtests counts.
pub(crate) fn of_tap(text: &str) -> Option<Vec<TestCase>> {
    let mut has_plan = false;
    let mut cases = Vec::new();
    for line in text.lines() {
        has_plan |= is_plan(line);
        match (line.strip_prefix('#'), cases.last_mut()) {
            (Some(comment), Some(failed)) => explain(failed, comment.trim()),
            _ => cases.extend(case(line, cases.len() + 1)),
        }
    }
    (has_plan && !cases.is_empty()).then_some(cases)
}

/// Adds a comment after a failed case to its message.
fn explain(case: &mut TestCase, comment: &str) {
    if case.end == CaseEnd::Failed {
        let between = if case.message.is_empty() { "" } else { "\n" };
        case.message.push_str(between);
        case.message.push_str(comment);
    }
}

/// Whether the line is a plan: `1..5`, with an optional comment.
fn is_plan(line: &str) -> bool {
    let end = line.strip_prefix("1..").and_then(|rest| rest.split([' ', '#']).next());
    end.is_some_and(|end| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Parses a case: `not ok 3 - name # SKIP why`.
fn case(line: &str, number: usize) -> Option<TestCase> {
    let (passed, rest) = match line.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok")?),
    };
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return None;
    }
    let (said, directive) = match rest.find(" # ") {
        Some(at) => (&rest[..at], rest[at + 3..].trim().to_ascii_lowercase()),
        None => (rest, String::new()),
    };
    let said = said.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim();
    let name = said.strip_prefix('-').unwrap_or(said).trim();
    let end = match passed {
        _ if directive.starts_with("skip") => CaseEnd::Skipped,
        true => CaseEnd::Passed,
        false if directive.starts_with("todo") => CaseEnd::Passed,
        false => CaseEnd::Failed,
    };
    let name = if name.is_empty() { format!("case {number}") } else { name.to_owned() };
    Some(TestCase { name, end, message: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, end: CaseEnd) -> TestCase {
        TestCase { name: name.to_owned(), end, message: String::new() }
    }

    #[test]
    fn cases_are_read() {
        let text = "TAP version 14\n1..6\nok 1 - adds\nnot ok 2 - divides # by zero\n  ok 1 - inner\n\
                    ok 3 # SKIP no disk\nnot ok 4 later # TODO\nok\nokay is no case\nnot ok\n";
        let expected = vec![
            named("adds", CaseEnd::Passed),
            named("divides", CaseEnd::Failed),
            named("case 3", CaseEnd::Skipped),
            named("later", CaseEnd::Passed),
            named("case 5", CaseEnd::Passed),
            named("case 6", CaseEnd::Failed),
        ];
        assert_eq!(of_tap(text), Some(expected));
    }

    #[test]
    fn comments_after_a_failed_case_are_its_message() {
        let text = "# before\n1..2\nok 1 - adds\n# fine\nnot ok 2 - divides\n# by zero\n#   at 3\n";
        let divides =
            TestCase { message: "by zero\nat 3".to_owned(), ..named("divides", CaseEnd::Failed) };
        assert_eq!(of_tap(text), Some(vec![named("adds", CaseEnd::Passed), divides]));
    }

    #[test]
    fn other_text_has_no_cases() {
        assert_eq!(of_tap("ok, all is well\n"), None);
        assert_eq!(of_tap("ok 1 - without a plan\n"), None);
        assert_eq!(of_tap("1..0 # SKIP nothing here\n"), None);
        assert_eq!(of_tap(""), None);
    }
}
