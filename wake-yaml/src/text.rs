//! A document's text, which knows where things stand in it.

use std::sync::Arc;

use crate::error::{DocumentError, Place};

/// A text and the name under which it was read.
#[derive(Clone, Debug)]
pub struct Text {
    file: Arc<str>,
    lines: Arc<[String]>,
}

/// Line and column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Mark {
    /// The document as a whole.
    pub const NONE: Mark = Mark { line: 0, column: 0 };
}

impl Text {
    /// Takes the bytes of a file apart into lines; an end of line may be `\n` or `\r\n`.
    pub fn new(file: &str, bytes: &[u8]) -> Result<(Self, String), DocumentError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"),
            Err(error) => {
                let line = bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
                let message = format!("line {line} is not UTF-8");
                return Err(DocumentError::whole(file, message));
            }
        };
        let lines = text.split('\n').map(str::to_owned).collect();
        Ok((Self { file: file.into(), lines }, text))
    }

    /// That of a document which was computed: no line of it was written.
    pub(crate) fn computed(file: &str) -> Self {
        Self { file: file.into(), lines: Arc::new([]) }
    }

    /// The name under which it was read.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The lines, without their ends.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Where `mark` is, for people.
    pub fn place(&self, mark: Mark) -> Place {
        Place { file: self.file.clone(), line: mark.line, column: mark.column }
    }

    /// An error at `mark`.
    pub fn error(&self, mark: Mark, message: impl Into<String>) -> DocumentError {
        let line = self.lines.get(mark.line.wrapping_sub(1));
        DocumentError {
            place: self.place(mark),
            source_line: line.cloned().unwrap_or_default(),
            message: message.into(),
            hint: None,
        }
    }
}
