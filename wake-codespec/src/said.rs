//! Values with their origin: a place in a document, or the command line.

use wake_yaml::{DocumentError, Mark, Text};

/// The name used in place of a file's in errors without a document.
pub const COMMAND_LINE: &str = "the command line";

/// A value with its origin.
#[derive(Clone, Debug)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) at: Origin,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A place in the document.
    Document(Mark),
    /// A flag, or the words after `--`.
    Flag(&'static str),
    /// Nowhere: something is missing from the document as a whole.
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

/// The context of errors: the text of the document, or the command line if there is none.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// A document that was read.
    Document(Text),
    /// Only flags.
    Flags,
}

impl Ground {
    /// Returns an error about the value at `at`.
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
