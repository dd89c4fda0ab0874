//! The manner of human-readable output.

use crate::args::Warnings;
use crate::terminal::style::Style;

/// The manner of human-readable output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Colours and characters.
    pub(crate) style: Style,
    /// The detail of failures.
    pub(crate) detail: Detail,
    /// The verbosity.
    pub(crate) verbosity: Verbosity,
    /// Which warnings of successful commands to show.
    pub(crate) warnings: Warnings,
    /// Whether to write workflow commands of GitHub Actions.
    pub(crate) annotations: bool,
}

/// The detail of diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The message with its place, source line, notes and help.
    Full,
    /// One line, `file:line:column: error: message`.
    Short,
}

/// The verbosity of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Only errors and warnings.
    Quiet,
    /// What changed.
    Normal,
    /// What ran, and why.
    Verbose,
    /// Cache hits, too.
    Everything,
}
