//! Reads YAML so that whoever reads it further can say where things stand in it.
//!
//! JSON is YAML, and is read by the same reader. What a program has computed has no places; it is read by the same code all the
//! same, and its errors name the document as a whole.
//!
//! | room | has |
//! |---|---|
//! | `error` | a document that is wrong at a place |
//! | `text` | a text that knows where its lines are |
//! | `resolved` | what a scalar without quotes is |
//! | `tree` | from the events of the parser to values |
//! | `fields` | mappings, read so that no key goes unread |

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

/// A whole document, with what was noticed while it was read.
#[derive(Debug)]
pub struct Yaml {
    /// Its text.
    pub source: Text,
    /// Its value.
    pub root: Arc<Node>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
    /// The program that it was written for, which reads scalars as YAML does.
    written_for: &'static str,
}

impl Yaml {
    /// Reads the bytes of a file that people call `file`, and that was written for a program of this name.
    pub fn parse(
        file: &str,
        bytes: &[u8],
        written_for: &'static str,
    ) -> Result<Self, DocumentError> {
        let (source, text) = Text::new(file, bytes)?;
        let root = tree::read(&source, &text)?;
        Ok(Self { source, root, warnings: Vec::new(), written_for })
    }

    /// A document that was computed from `file`.
    pub fn computed(file: &str, value: &serde_json::Value, written_for: &'static str) -> Self {
        let (source, root) = (Text::computed(file), tree::of_json(value));
        Self { source, root, warnings: Vec::new(), written_for }
    }

    /// Notes what is probably not meant, once for each place: what an alias names is read wherever it is used.
    pub fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
