//! Values of YAML that are changed in places and written again, with nothing lost that somebody else put there.
//!
//! Scalars stay the texts that they are, with how they were written; so what YAML makes of them stays, too.

mod scalar;
mod tree;
mod read;
mod write;

pub(crate) use scalar::{Scalar, Style};
pub(crate) use tree::{Entry, Node, Value};
pub(crate) use write::write;
