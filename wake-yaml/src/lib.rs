//! Reads YAML and keeps the place of every value.
//!
//! JSON is YAML, and is read in the same way. Computed values have no places; they are read by the same code, and
//! errors name the document as a whole.
//!
//! | room | content |
//! |---|---|
//! | `error` | errors with a place in a document |
//! | `text` | texts, and their lines |
//! | `resolved` | the meaning of unquoted scalars |
//! | `tree` | conversion of the parser's events to values |
//! | `fields` | reading of mappings, which ensures that no key is overlooked |

mod error;
mod text;
mod resolved;
mod tree;
mod fields;

use std::sync::Arc;

pub use error::{DocumentError, Place, Warning};
pub use fields::{Fields, kind, list, list_or_one, mismatch, text};
pub use text::{Mark, Text};
pub use tree::{Entry, Node, Value};

/// A complete document, with the warnings found while reading it.
#[derive(Debug)]
pub struct Yaml {
    /// Its text.
    pub source: Text,
    /// Its value.
    pub root: Arc<Node>,
    /// Probable mistakes.
    pub warnings: Vec<Warning>,
    /// The program that the document was written for, which reads scalars as YAML does.
    written_for: &'static str,
}

impl Yaml {
    /// Parses the content of a file that is called `file` in messages and was written for this program.
    pub fn parse(
        file: &str,
        bytes: &[u8],
        written_for: &'static str,
    ) -> Result<Self, DocumentError> {
        let (source, text) = Text::new(file, bytes)?;
        let root = tree::read(&source, &text)?;
        Ok(Self { source, root, warnings: Vec::new(), written_for })
    }

    /// Creates a document from a value that was computed from `file`.
    pub fn computed(file: &str, value: &serde_json::Value, written_for: &'static str) -> Self {
        let (source, root) = (Text::computed(file), tree::of_json(value));
        Self { source, root, warnings: Vec::new(), written_for }
    }

    /// Adds a warning, once per place: what an alias names is read wherever it is used.
    pub fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
