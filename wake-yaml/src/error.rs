//! Errors with a place in a document.

use std::fmt;
use std::sync::Arc;

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name under which the document was read.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// An error at a place in a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DocumentError {
    /// The place.
    pub place: Place,
    /// The text of that line.
    pub source_line: String,
    /// The message, the thing at fault first.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Something in a document that is probably a mistake. It changes nothing.
pub type Warning = DocumentError;

impl Place {
    /// Returns the place for a file as a whole.
    pub fn whole(file: &str) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl DocumentError {
    /// Creates an error about a file as a whole, for example that it does not exist.
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            place: Place::whole(file),
            source_line: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Prints `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// Prints `file:line:column: message` only; the reporter prints the line and the hint.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
