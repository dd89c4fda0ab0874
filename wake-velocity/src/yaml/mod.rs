//! YAML that knows where it was written. Scalars stay the text that they are.

mod resolved;
mod tree;
mod fields;

pub(crate) use fields::{Fields, kind, list, list_or_one, text};

use std::sync::Arc;

use crate::error::{DocumentError, Warning};
use crate::text::{Mark, Text};

/// A whole file of YAML, with what was noticed while it was read.
#[derive(Debug)]
pub(crate) struct Yaml {
    pub(crate) source: Text,
    pub(crate) root: Arc<Node>,
    pub(crate) warnings: Vec<Warning>,
}

/// A value and where it starts.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Mark,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    /// A scalar as it is written; without quotes YAML may take it for a number or the like.
    Text {
        text: String,
        quoted: bool,
    },
    List(Vec<Arc<Node>>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Mark,
    pub(crate) value: Arc<Node>,
}

impl Yaml {
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self, DocumentError> {
        let (source, text) = Text::new(file, bytes)?;
        let root = tree::read(&source, &text)?;
        Ok(Self { source, root, warnings: Vec::new() })
    }

    /// Notes what is probably not meant, once for each place: what an alias names is read wherever it is used.
    pub(crate) fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}
