//! Trees on a disk: written, listed and read only through descriptors of directories, never by a path that could be
//! redirected meanwhile.

mod listing;
mod reader;
mod writer;

pub(crate) use listing::{Child, list_dir, meta_of, read_link};
pub(crate) use reader::read_tree;
pub use writer::Ownership;
pub(crate) use writer::{ROOT, Room, RoomyFile, TreeWriter, declare};
