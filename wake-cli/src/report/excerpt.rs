//! Excerpts of failed commands' output.

use std::borrow::Cow;

use wake_steps::event::{ActionFinished, Status};

use crate::args::Warnings;
use crate::terminal::escape;

/// The maximum number of lines to show of one stream.
const MOST_LINES: usize = 24;

/// The number of lines to keep at the end when the middle is left out.
const LAST_LINES: usize = 8;

/// Returns the escaped standard error of a successful command, if it is to be shown; nothing if it is blank.
pub(crate) fn warnings(finished: &ActionFinished, shown: Warnings) -> Vec<Cow<'_, str>> {
    let is_shown = match shown {
        Warnings::None => false,
        Warnings::Ran => finished.status == Status::Ran,
        Warnings::All => true,
    };
    match is_shown && !finished.stderr_tail.trim().is_empty() {
        true => choose(escape::lines(&finished.stderr_tail)),
        false => Vec::new(),
    }
}

/// Returns the lines to show of a failed command, escaped but not indented.
///
/// That is standard error, preceded by the end of standard output if both have content.
pub(crate) fn of(finished: &ActionFinished) -> Vec<Cow<'_, str>> {
    let stdout = escape::lines(&finished.stdout_tail);
    let stderr = escape::lines(&finished.stderr_tail);
    match (stdout.is_empty(), stderr.is_empty()) {
        (_, true) => choose(stdout),
        (true, false) => choose(stderr),
        (false, false) => {
            let mut lines = vec![Cow::Borrowed("standard output:")];
            let end = stdout.len().saturating_sub(LAST_LINES);
            lines.extend(left_out(end));
            lines.extend_from_slice(&stdout[end..]);
            lines.push(Cow::Borrowed("standard error:"));
            lines.extend(choose(stderr));
            lines
        }
    }
}

/// Selects at most [`MOST_LINES`] of `lines`: from the first that looks like an error, and the end.
fn choose(lines: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    if lines.len() <= MOST_LINES {
        return lines;
    }
    let end = lines.len() - LAST_LINES;
    // One line marks an omission on each side.
    let room = MOST_LINES - LAST_LINES - 2;
    let first = lines.iter().position(|line| looks_like_error(line)).unwrap_or(end);
    let start = first.saturating_sub(1).min(end.saturating_sub(room));
    let stop = (start + room).min(end);
    let mut chosen = Vec::with_capacity(MOST_LINES);
    chosen.extend(left_out(start));
    chosen.extend_from_slice(&lines[start..stop]);
    chosen.extend(left_out(end - stop));
    chosen.extend_from_slice(&lines[end..]);
    chosen
}

fn left_out<'a>(lines: usize) -> Option<Cow<'a, str>> {
    (lines > 0).then(|| Cow::Owned(format!("... {lines} more")))
}

/// Whether a line looks like the start of an error message of a compiler, interpreter or test runner.
fn looks_like_error(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["error:", "error[", "fatal:", "fatal error", "undefined reference", "traceback (most recent"]
        .iter()
        .any(|mark| lower.contains(mark))
        || ["failed", "not ok", "panic", "thread '", "assertion"]
            .iter()
            .any(|mark| lower.trim_start().starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::recorded::action;

    fn numbered(count: usize, error_at: Option<usize>) -> Vec<Cow<'static, str>> {
        (0..count)
            .map(|at| {
                let word = if Some(at) == error_at { "error: line" } else { "line" };
                Cow::Owned(format!("{word} {at}"))
            })
            .collect()
    }

    #[test]
    fn stdout_is_brief_if_there_is_stderr() {
        let mut finished = action(0, "//a:b", Status::Failed, 0);
        finished.stdout_tail = (0..10).map(|at| format!("out {at}\n")).collect();
        finished.stderr_tail = "bad\n".into();
        let lines = of(&finished);
        assert_eq!(lines[..3], ["standard output:", "... 2 more", "out 2"]);
        assert_eq!(lines[9..], ["out 9", "standard error:", "bad"]);
        finished.stderr_tail.clear();
        assert_eq!(of(&finished).len(), 10);
    }

    #[test]
    fn short_output_is_whole() {
        assert_eq!(choose(numbered(24, None)), numbered(24, None));
    }

    #[test]
    fn long_output_is_its_first_error_and_its_end() {
        let lines = choose(numbered(100, Some(40)));
        assert_eq!(lines[0], "... 39 more");
        assert_eq!(lines[1], "line 39");
        assert_eq!(lines[2], "error: line 40");
        assert_eq!(lines[15], "... 39 more");
        assert_eq!(lines[23], "line 99");
        assert_eq!(lines.len(), MOST_LINES);
    }

    #[test]
    fn long_output_without_an_error_is_its_end() {
        let lines = choose(numbered(100, None));
        assert_eq!(lines[0], "... 78 more");
        assert_eq!(lines[1], "line 78");
        assert_eq!(lines[22], "line 99");
    }

    #[test]
    fn an_error_in_the_first_line_is_found() {
        let lines = choose(numbered(100, Some(0)));
        assert_eq!(lines[0], "error: line 0");
        assert_eq!(lines[14], "... 78 more");
    }
}
