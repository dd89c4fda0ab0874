//! The text of a document, and places in it.

use std::sync::Arc;

use crate::error::{DocumentError, Place};

/// A text, and the name under which it was read.
#[derive(Clone, Debug)]
pub struct Text {
    file: Arc<str>,
    lines: Arc<[String]>,
}

/// A line and a column in characters, both from 1.
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
    /// Splits the content of a file into lines, which may end with `\n` or `\r\n`.
    pub fn new(file: &str, bytes: &[u8]) -> Result<(Self, String), DocumentError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n"),
            Err(error) => {
                let mark = mark_behind(&bytes[..error.valid_up_to()]);
                let source = Self::of_lines(file, &String::from_utf8_lossy(bytes));
                return Err(source.error(mark, "not UTF-8"));
            }
        };
        Ok((Self::of_lines(file, &text), text))
    }

    fn of_lines(file: &str, text: &str) -> Self {
        Self { file: file.into(), lines: text.split('\n').map(str::to_owned).collect() }
    }

    /// Creates the text of a computed document, which has no lines.
    pub(crate) fn computed(file: &str) -> Self {
        Self { file: file.into(), lines: Arc::new([]) }
    }

    /// Returns the name under which it was read.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the lines, without line endings.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Returns the place of `mark`, for messages.
    pub fn place(&self, mark: Mark) -> Place {
        Place { file: self.file.clone(), line: mark.line, column: mark.column }
    }

    /// Creates an error at `mark`.
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

/// Returns the place of the first character after `before`.
fn mark_behind(before: &[u8]) -> Mark {
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let last = before.rsplit(|&b| b == b'\n').next().unwrap_or_default();
    Mark { line, column: String::from_utf8_lossy(last).chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn invalid_utf8_is_reported_with_its_place() {
        let error = Text::new("x.yaml", b"a: 1\nb: \xc3\xa9\xff").map(drop);
        let error = error.map_err(|error| (error.to_string(), error.source_line));
        let expected = ("x.yaml:2:5: not UTF-8".to_owned(), "b: é\u{fffd}".to_owned());
        assert_eq!(error, Err(expected));
    }
}
