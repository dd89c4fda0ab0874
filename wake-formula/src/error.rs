use std::fmt;

/// An error at a place in a document.
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
    /// The problem, the thing at fault first.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Prints `file:line:column: message` alone; the reporter adds the line and the hint.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}
