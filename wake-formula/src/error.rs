use std::fmt;

/// A document is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DocumentError {
    /// The name under which the document was read.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The text of that line.
    pub source_line: String,
    /// What is wrong, the thing at fault first.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Prints `file:line:column: message` alone; the line and the hint are the reporter's.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}
