//! Errors and warnings for the user.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wake_store::ware::without_secrets;

/// A message with its place and remedies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How severe it is.
    pub level: Level,
    /// The kind of failure, which decides the exit code.
    pub class: Class,
    /// The problem: a lower-case fragment, the thing at fault first.
    pub message: String,
    /// Its place, if it is in a file that the user wrote.
    pub place: Option<Place>,
    /// Further places that led to it, innermost first.
    pub notes: Vec<String>,
    /// What to do about it, one line each.
    pub help: Vec<String>,
}

/// How severe a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The build cannot succeed.
    Error,
    /// The build goes on.
    Warning,
}

/// Classes of failure; their numbers are exit codes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// At least one action failed.
    Action = 1,
    /// The command line is wrong.
    Usage = 2,
    /// At least one test failed, and nothing else.
    Test = 3,
    /// Nothing matched.
    Nothing = 4,
    /// A document is wrong: no step can be made of it.
    Evaluation = 5,
    /// Documents are valid one by one but do not fit together.
    Resolution = 6,
    /// Content does not match its digest or signature.
    Integrity = 7,
    /// Another machine could not be reached.
    Network = 9,
    /// The machine does not permit it: sandbox, disk, permissions.
    Environment = 10,
    /// An action exceeded its time limit.
    Timeout = 12,
    /// A bug in wake.
    Internal = 70,
    /// The build was interrupted.
    Interrupted = 130,
}

impl Class {
    /// Returns the exit code of the program.
    pub const fn exit_code(self) -> u8 {
        self as u8
    }
}

/// A place in a file: line and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The file, under the name that the user knows.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// The column after the last.
    pub end_column: usize,
    /// The text of the line.
    pub source_line: String,
    /// The text under the caret, if any: `did you mean …`.
    pub label: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Hides secrets in a text, for output and logs. Its number of characters stays the same, so that carets still fit.
fn shown(text: impl Into<String>) -> String {
    let text = text.into();
    match without_secrets(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl Diagnostic {
    /// Creates an error without a place.
    pub fn error(class: Class, message: impl Into<String>) -> Self {
        Diagnostic {
            level: Level::Error,
            class,
            message: shown(message),
            place: None,
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Sets the place.
    pub fn at(mut self, place: Option<Place>) -> Self {
        if let Some(mut place) = place {
            place.source_line = shown(place.source_line);
            place.label = place.label.map(shown);
            self.place = Some(place);
        }
        self
    }

    /// Adds a line of help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(shown(help));
        self
    }

    /// Adds a note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(shown(note));
        self
    }
}

/// A failed operation: at least one error, in the order in which they were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What went wrong; never empty.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// Returns the lowest class among the errors, which is the exit code of the program.
    pub fn class(&self) -> Class {
        self.diagnostics.iter().map(|d| d.class).min().unwrap_or(Class::Internal)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure { diagnostics: vec![diagnostic] }
    }
}
