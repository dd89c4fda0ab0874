use std::io;
use std::path::PathBuf;

use wake_model::BufferId;
use wake_model::buffer::TagError;
use wake_store::StoreError;

/// Why a buffer could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// There is none.
    #[error("the buffer `{0}` was not found")]
    NotFound(BufferId),
    /// It has been deleted.
    #[error("the buffer `{0}` is deleted")]
    Deleted(BufferId),
    /// Its time is over.
    #[error("the buffer `{0}` has expired")]
    Expired(BufferId),
    /// Somebody writes it, or has written it.
    #[error("the buffer `{0}` cannot be overwritten: it is written once")]
    Written(BufferId),
    /// Somebody writes it, so that it cannot be removed.
    #[error("the buffer `{0}` is being written")]
    BeingWritten(BufferId),
    /// Nobody has written it yet.
    #[error("the buffer `{0}` has not been written")]
    Unwritten(BufferId),
    /// Its writer said that it is not whole.
    #[error("the buffer `{id}` is in a permanently failed state: {reason}")]
    Failed {
        /// The buffer.
        id: BufferId,
        /// What the writer said.
        reason: String,
    },
    /// Its writer ended without a word.
    #[error("the writer of the buffer `{id}` ended after {bytes} bytes without completing it")]
    BrokenOff {
        /// The buffer.
        id: BufferId,
        /// What there is.
        bytes: u64,
    },
    /// A block is not there, or not what it was.
    #[error("block {block} of the buffer `{id}` is missing or damaged")]
    Damaged {
        /// The buffer.
        id: BufferId,
        /// The number of the block, from 0.
        block: u64,
    },
    /// What is said of the buffer is not what was put there.
    #[error("`{path}` is damaged: {problem}")]
    About {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tag is none.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// Something lies where a buffer was to be written.
    #[error("`{0}` already exists")]
    Taken(PathBuf),
    /// A directory does not have the form of a buffer.
    #[error("`{path}` {problem}")]
    Layout {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What is to be written could not be read.
    #[error("cannot read the input: {0}")]
    Source(io::Error),
    /// What was read could not be handed on.
    #[error("cannot write the output: {0}")]
    Sink(io::Error),
    /// Somebody has had enough.
    #[error("cancelled")]
    Cancelled,
    /// A file outside of the store could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
