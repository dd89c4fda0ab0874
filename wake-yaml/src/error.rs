//! A document that is wrong at a place.

use std::fmt;
use std::sync::Arc;

/// Where something stands in a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name under which the document was read.
    pub file: Arc<str>,
    /// Line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A document is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DocumentError {
    /// Where.
    pub place: Place,
    /// The text of that line.
    pub source_line: String,
    /// What is wrong, the thing at fault first.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Something in a document that is probably not meant. It changes nothing.
pub type Warning = DocumentError;

impl Place {
    /// The file as a whole.
    pub fn whole(file: &str) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl DocumentError {
    /// An error about a file as a whole, such as one that is not there.
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self {
            place: Place::whole(file),
            source_line: String::new(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same with something to do about it.
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

/// Prints `file:line:column: message` alone; the line and the hint are the reporter's.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
