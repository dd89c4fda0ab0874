//! An editable YAML tree that is read and written again without losing other people's entries.
//!
//! Scalars keep their text and quoting, so a YAML reader parses them to the same values.

mod scalar;
mod tree;
mod read;
mod write;

pub(crate) use scalar::{Scalar, Style};
pub(crate) use tree::{Entry, Node, Value};
pub(crate) use write::write;
