//! What went wrong, and where.

use serde::{Deserialize, Serialize};

use crate::outcome::Read;

/// An evaluation that did not end in a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// How the package is called: `//libs/zlib`.
    pub pkg: String,
    /// Whose fault it was.
    pub kind: Kind,
    /// What went wrong, lower case, names in backticks.
    pub message: String,
    /// Where; none where no line of the user's is at fault.
    pub place: Option<Place>,
    /// What to write below the caret: the nearest right name, what was expected.
    pub label: Option<String>,
    /// The calls around the place, innermost first.
    pub frames: Vec<Frame>,
    /// What a user could do about it.
    pub hints: Vec<String>,
    /// Whether a module was asked for without a config, for which its function has no default.
    pub needs_config: bool,
    /// The option that somebody set to what is of another type than its default: whoever did is at fault, and not the place.
    pub option: Option<String>,
    /// What had been read until then. An error of kind [`Kind::User`] would come again while these hold.
    pub reads: Vec<Read>,
    /// What `std.trace` had said until then.
    pub trace: Vec<String>,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What the user wrote; the same sources give the same error.
    #[default]
    User,
    /// A limit was exceeded.
    Limit(Limit),
    /// A worker ended unexpectedly, or could not be started.
    Crash,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// Memory.
    Memory,
    /// Time.
    Time,
    /// Calls inside calls.
    Depth,
    /// Values in the result.
    Nodes,
    /// Text in the result.
    Text,
    /// Bytes of a source file.
    Source,
}

/// A stretch of one source line. Lines and columns count from 1; columns count characters.
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

/// One of the calls around a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Where the call stands.
    pub place: Place,
    /// What is called there.
    pub desc: String,
}

impl EvalError {
    /// An error without a place.
    pub(crate) fn bare(pkg: &str, kind: Kind, message: String) -> Self {
        EvalError { pkg: pkg.to_owned(), kind, message, ..EvalError::default() }
    }

    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        self.hints.push(hint.to_owned());
        self
    }
}
