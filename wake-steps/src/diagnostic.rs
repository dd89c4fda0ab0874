//! What a person is told when something is wrong.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wake_store::ware::without_secrets;

/// A message with its place and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// The kind of failure, which decides the exit code.
    pub class: Class,
    /// What is wrong: a lower-case fragment, the thing at fault first.
    pub message: String,
    /// Where, if it has a place in a file that a person wrote.
    pub place: Option<Place>,
    /// Further places on the way to it, innermost first.
    pub notes: Vec<String>,
    /// What to do about it, one line each.
    pub help: Vec<String>,
}

/// How bad a diagnostic is.
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
    /// The command line is at fault.
    Usage = 2,
    /// At least one test failed, and nothing else.
    Test = 3,
    /// Nothing matched.
    Nothing = 4,
    /// What a person wrote is at fault: no step can be made of it.
    Evaluation = 5,
    /// Documents that are each well do not fit together.
    Resolution = 6,
    /// Bytes are not what they should be.
    Integrity = 7,
    /// What other machines have cannot be had.
    Network = 9,
    /// The machine does not allow it: sandbox, disk, permissions.
    Environment = 10,
    /// An action ran out of time.
    Timeout = 12,
    /// A fault of the program itself.
    Internal = 70,
    /// The build was interrupted.
    Interrupted = 130,
}

impl Class {
    /// The exit code of the program.
    pub const fn exit_code(self) -> u8 {
        self as u8
    }
}

/// A place in a file: line and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The file, as a person would name it.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The first column.
    pub column: usize,
    /// The column after the last.
    pub end_column: usize,
    /// The text of the line.
    pub source_line: String,
    /// What stands under the caret, if anything: `did you mean …`.
    pub label: Option<String>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The text as a person and every log may have it. It has as many characters as before, so that carets point where they did.
fn shown(text: impl Into<String>) -> String {
    let text = text.into();
    match without_secrets(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl Diagnostic {
    /// An error without a place.
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

    /// The same with a place.
    pub fn at(mut self, place: Option<Place>) -> Self {
        if let Some(mut place) = place {
            place.source_line = shown(place.source_line);
            place.label = place.label.map(shown);
            self.place = Some(place);
        }
        self
    }

    /// The same with one more line of help.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(shown(help));
        self
    }

    /// The same with one more note.
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
    /// The lowest class among the errors: the exit code of the program.
    pub fn class(&self) -> Class {
        self.diagnostics.iter().map(|d| d.class).min().unwrap_or(Class::Internal)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure { diagnostics: vec![diagnostic] }
    }
}
