//! How people are told.

use crate::args::Warnings;
use crate::terminal::style::Style;

/// How people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Colours and characters.
    pub(crate) style: Style,
    /// How much is said about a failure.
    pub(crate) detail: Detail,
    /// How much is said at all.
    pub(crate) verbosity: Verbosity,
    /// Which warnings of commands that succeeded are shown.
    pub(crate) warnings: Warnings,
    /// Workflow commands of GitHub Actions are written.
    pub(crate) annotations: bool,
}

/// How much is said about each thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The message with its place, source line, notes and help.
    Full,
    /// One line, `file:line:column: error: message`.
    Short,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Only what is wrong.
    Quiet,
    /// What changed.
    Normal,
    /// What ran, and why.
    Verbose,
    /// What was remembered, too.
    Everything,
}
