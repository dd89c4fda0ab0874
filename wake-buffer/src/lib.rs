//! Keeps streams that are written once.
//!
//! A buffer is a stream of any length. It is put down in blocks as it comes, so that others can read it before it is whole; each block is
//! a blob of the store, so what two buffers share is there once. `spec/buffers.md` has the rules.
//!
//! | room | what it has |
//! |---|---|
//! | `error` | what can go wrong |
//! | [`chain`], [`block_path`] | how Tyger tells that a stream is whole, and where it puts blocks |
//! | `about` | what is said of a buffer |
//! | `buffers` | making, finding, tagging, deleting |
//! | `write`, `read` | streams in and out |
//! | `exchange` | Tyger's layout |
//! | [`pattern`] | bytes to try things out with |

mod error;
pub mod chain;
pub mod block_path;
mod about;
mod buffers;
mod write;
mod read;
mod exchange;
pub mod pattern;
#[cfg(test)]
mod stream_test;

pub use about::{Content, State};
pub use buffers::{Buffer, Buffers, Change, Wanted};
pub use error::BufferError;
pub use read::{Block, BufferReader, Unwritten};
pub use write::{BufferWriter, Flush, USUAL_BLOCK, WriteOptions};
