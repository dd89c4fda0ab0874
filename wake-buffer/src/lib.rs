//! Stores streams that are written once.
//!
//! A buffer is a stream of any length. It is stored in blocks as it arrives, so that it can be read before it is complete; each block
//! is a blob of the store, so data that buffers share is stored once. `spec/buffers.md` has the rules.
//!
//! | room | contents |
//! |---|---|
//! | `error` | errors |
//! | [`chain`], [`block_path`] | Tyger's hash chain, and its paths of blocks |
//! | `about` | the metadata and state of a buffer |
//! | `buffers` | creating, finding, tagging and deleting buffers |
//! | `write`, `read` | writing and reading streams |
//! | `exchange` | Tyger's layout |
//! | [`pattern`] | bytes for experiments |

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
