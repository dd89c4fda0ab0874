//! Evaluation errors and their places.

use serde::{Deserialize, Serialize};

use crate::outcome::Read;

/// A failed evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// The name of the package, for messages: `//libs/zlib`.
    pub pkg: String,
    /// The kind of error.
    pub kind: Kind,
    /// The message: lower case, names in backticks.
    pub message: String,
    /// The place; `None` if no line of the user's is at fault.
    pub place: Option<Place>,
    /// The label below the caret: the nearest correct name, or what was expected.
    pub label: Option<String>,
    /// The calls that led to the place, innermost first.
    pub frames: Vec<Frame>,
    /// What the user could do about it.
    pub hints: Vec<String>,
    /// Whether the module was requested without a config although its function has no default.
    pub needs_config: bool,
    /// The option that was set to a value of the wrong type; its setting is at fault rather than the place.
    pub option: Option<String>,
    /// What had been read until then. An error of kind [`Kind::User`] recurs as long as these reads give the same
    /// digests.
    pub reads: Vec<Read>,
    /// The output of `std.trace` until then.
    pub trace: Vec<String>,
}

/// The cause of an error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The user's code; the same sources give the same error.
    #[default]
    User,
    /// A limit was exceeded.
    Limit(Limit),
    /// A worker ended unexpectedly, or could not be started.
    Crash,
}

/// The limit that was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Memory.
    Memory,
    /// Time.
    Time,
    /// Nesting of calls.
    Depth,
    /// The number of values in the result.
    Nodes,
    /// The amount of text in the result.
    Text,
    /// The size of a source file.
    Source,
}

/// A range in one source line. Lines and columns count from 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to its package: `PKG.libsonnet`.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The first column.
    pub column: u32,
    /// The column after the last one, on the same line.
    pub end_column: u32,
    /// The text of the line.
    pub source_line: String,
}

/// One of the calls that led to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The place of the call.
    pub place: Place,
    /// A description of what is called.
    pub desc: String,
}

impl EvalError {
    /// Creates an error without a place.
    pub(crate) fn bare(pkg: &str, kind: Kind, message: String) -> Self {
        EvalError { pkg: pkg.to_owned(), kind, message, ..EvalError::default() }
    }

    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        self.hints.push(hint.to_owned());
        self
    }
}
