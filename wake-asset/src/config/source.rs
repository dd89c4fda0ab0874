//! The text of a configuration, with where things stand in it.

use std::path::{Path, PathBuf};

use crate::error::{AssetError, DocumentFault};
use crate::yaml::Mark;

/// A file that is read.
pub(super) struct Source {
    file: PathBuf,
    text: String,
}

impl Source {
    pub(super) fn new(file: &Path, bytes: &[u8]) -> Result<Source, AssetError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
                Ok(Source { file: file.to_owned(), text })
            }
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                let source = Source { file: file.to_owned(), text: String::new() };
                Err(source.fault(Mark { line, column: 1 }, "this line is not UTF-8", None))
            }
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The lines before the first one that says anything.
    pub(super) fn head(&self) -> String {
        let is_comment = |line: &&str| line.starts_with('#') || line.trim().is_empty();
        self.text.split_inclusive('\n').take_while(is_comment).collect()
    }

    pub(super) fn fault(
        &self,
        at: Mark,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> AssetError {
        let line = self.text.lines().nth(at.line.wrapping_sub(1)).unwrap_or_default();
        AssetError::Document(Box::new(DocumentFault {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            source_line: line.to_owned(),
            message: message.into(),
            hint,
        }))
    }
}
