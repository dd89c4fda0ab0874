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

impl DocumentError {
    /// The line with a caret below the place.
    pub fn excerpt(&self) -> String {
        // Tabs stay tabs below, so that the caret stands where the terminal puts the character.
        let indent: String = self
            .source_line
            .chars()
            .take(self.column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        format!("{}\n{indent}^", self.source_line)
    }
}

/// Prints `file:line:column: message` alone; excerpt and hint are the reporter's.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}
