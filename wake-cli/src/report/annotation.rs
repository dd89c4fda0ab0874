//! Annotations on changes, for GitHub Actions.
//!
//! Source: GitHub's "Workflow commands for GitHub Actions". The runner reads them from either
//! stream, at the start of any line after blanks. Output of commands is
//! therefore always prefixed with a non-blank character there.

use wake_steps::diagnostic::{Diagnostic, Level};

use crate::terminal::escape;

/// Returns the annotation line for `diagnostic`, with its line break.
pub(crate) fn of(diagnostic: &Diagnostic) -> String {
    let command = match diagnostic.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let place = diagnostic.place.as_ref().map_or_else(String::new, |place| {
        format!(" file={},line={},col={}", property(&place.file), place.line, place.column)
    });
    format!("::{command}{place}::{}\n", data(&diagnostic.message))
}

/// Returns the annotation line for a failed action.
pub(crate) fn of_action(label: &str, how: &str) -> String {
    format!("::error title={}::{}\n", property(label), data(&format!("{label} failed: {how}")))
}

fn data(text: &str) -> String {
    let lines: Vec<String> =
        escape::lines(text).iter().map(|line| line.replace('%', "%25")).collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wake_steps::diagnostic::{Class, Place};

    #[test]
    fn places_and_lines_are_encoded() {
        let place = Place {
            file: "a,b:c/PKG.libsonnet".into(),
            line: 6,
            column: 3,
            end_column: 4,
            source_line: String::new(),
            label: None,
        };
        let diagnostic = Diagnostic::error(Class::Evaluation, "100% wrong\nbecause\x1b[2J");
        assert_eq!(of(&diagnostic), "::error::100%25 wrong%0Abecause\\x1b[2J\n");
        assert_eq!(
            of(&diagnostic.at(Some(place))),
            "::error file=a%2Cb%3Ac/PKG.libsonnet,line=6,col=3::100%25 wrong%0Abecause\\x1b[2J\n"
        );
        assert_eq!(
            of_action("//web:bundle", "exit 2"),
            "::error title=//web%3Abundle:://web:bundle failed: exit 2\n"
        );
    }
}
