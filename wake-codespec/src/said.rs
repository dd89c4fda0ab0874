//! What somebody said, and where: in a document or on the command line.

use wake_yaml::{DocumentError, Mark, Text};

/// What stands for a file where something is missing and there is none.
pub const COMMAND_LINE: &str = "the command line";

/// A value with where it was said.
#[derive(Clone, Debug)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) at: Origin,
}

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// At a place of the document.
    Document(Mark),
    /// By a flag, or by what stands behind `--`.
    Flag(&'static str),
    /// By nobody: the document as a whole lacks something.
    Nowhere,
}

impl<T> Said<T> {
    pub(crate) fn at(at: Mark, value: T) -> Self {
        Said { value, at: Origin::Document(at) }
    }

    pub(crate) fn by(flag: &'static str, value: T) -> Self {
        Said { value, at: Origin::Flag(flag) }
    }
}

/// Where errors are told: the text of the document, or the name under which there would be one.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// A document that was read.
    Document(Text),
    /// Only flags.
    Flags,
}

impl Ground {
    /// An error about what was said at `at`.
    pub(crate) fn error(&self, at: Origin, message: impl Into<String>) -> DocumentError {
        match (self, at) {
            (Ground::Document(text), Origin::Document(mark)) => text.error(mark, message),
            (Ground::Document(text), Origin::Nowhere) => {
                DocumentError::whole(&text.place(Mark { line: 0, column: 0 }).file, message)
            }
            (_, Origin::Flag(flag)) => DocumentError::whole(flag, message),
            (Ground::Flags, _) => DocumentError::whole(COMMAND_LINE, message),
        }
    }
}
