//! Locations of template parts in their document.

use wake_yaml::{DocumentError, Mark, Text};

/// A text with its location in a document.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The text, as YAML reads it.
    pub(crate) text: String,
    source: Text,
    at: Mark,
}

impl Written {
    pub(crate) fn new(source: &Text, at: Mark, text: String) -> Written {
        Written { text, source: source.clone(), at }
    }

    /// Returns another text with the same location.
    pub(crate) fn with_text(&self, text: &str) -> Written {
        Written { text: text.to_owned(), source: self.source.clone(), at: self.at }
    }

    /// Returns an error about the whole text.
    pub(crate) fn error(&self, message: impl Into<String>) -> DocumentError {
        self.source.error(self.at, message)
    }

    /// Returns an error at `part`, if the text contains it.
    pub(crate) fn error_of(&self, part: &str, message: impl Into<String>) -> DocumentError {
        match self.text.find(part) {
            Some(offset) => self.error_at(offset, message),
            None => self.error(message),
        }
    }

    /// Returns an error at a byte offset in the text.
    pub(crate) fn error_at(&self, offset: usize, message: impl Into<String>) -> DocumentError {
        self.source.error(self.mark(offset), message)
    }

    /// Returns an error in a line of the text, counted from 1.
    pub(crate) fn error_in_line(&self, line: usize, message: impl Into<String>) -> DocumentError {
        let before = self.text.split_inclusive('\n').take(line.saturating_sub(1));
        self.error_at(before.map(str::len).sum(), message)
    }

    /// Finds the position of an offset in the document. The text may be indented, folded or quoted there, so this searches for the
    /// characters around it.
    fn mark(&self, offset: usize) -> Mark {
        /// The number of characters that identify a position.
        const WORDS: usize = 24;
        let offset = offset.min(self.text.len());
        let line_start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        let line: Vec<char> = self.text[line_start..line_end].chars().collect();
        let at = self.text[line_start..offset].chars().count();
        for words in [WORDS, WORDS / 2, WORDS / 4] {
            let from = at.min(line.len().saturating_sub(words));
            let start = line_start + line.iter().take(from).map(|c| c.len_utf8()).sum::<usize>();
            let words: String = line.iter().skip(from).take(words).collect();
            if words.is_empty() {
                break;
            }
            // The same characters may occur several times.
            let before = self.text.match_indices(&words).take_while(|(found, _)| *found < start);
            if let Some(found) = self.matches(&words).take(before.count() + 1).last() {
                return Mark { column: found.column + (at - from), ..found };
            }
        }
        self.at
    }

    /// Returns the positions of `words` in the document, from the text on.
    fn matches(&self, words: &str) -> impl Iterator<Item = Mark> {
        let lines = self.source.lines().iter().enumerate().skip(self.at.line.wrapping_sub(1));
        lines.flat_map(move |(number, text)| {
            let first = if number + 1 == self.at.line { self.at.column } else { 1 };
            let column = |byte: usize| text[..byte].chars().count() + 1;
            let columns = text.match_indices(words).map(move |(byte, _)| column(byte));
            columns
                .filter(move |column| *column >= first)
                .map(move |column| Mark { line: number + 1, column })
        })
    }
}
