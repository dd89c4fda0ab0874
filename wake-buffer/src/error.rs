use std::io;
use std::path::PathBuf;

use wake_model::BufferId;
use wake_model::buffer::TagError;
use wake_store::StoreError;

/// Why a buffer could not be created, written or read.
#[derive(Debug, thiserror::Error)]
pub enum BufferError {
    /// There is no such buffer.
    #[error("the buffer `{0}` was not found")]
    NotFound(BufferId),
    /// It has been deleted.
    #[error("the buffer `{0}` is deleted")]
    Deleted(BufferId),
    /// Its lifetime has passed.
    #[error("the buffer `{0}` has expired")]
    Expired(BufferId),
    /// It is being written, or has been written.
    #[error("the buffer `{0}` cannot be overwritten: it is written once")]
    Written(BufferId),
    /// It is being written, so it cannot be removed.
    #[error("the buffer `{0}` is being written")]
    BeingWritten(BufferId),
    /// It has not been written yet.
    #[error("the buffer `{0}` has not been written")]
    Unwritten(BufferId),
    /// Its writer declared that it will not be complete.
    #[error("the buffer `{id}` is in a permanently failed state: {reason}")]
    Failed {
        /// The buffer.
        id: BufferId,
        /// The writer's reason.
        reason: String,
    },
    /// Its writer ended without completing or failing it.
    #[error("the writer of the buffer `{id}` ended after {bytes} bytes without completing it")]
    BrokenOff {
        /// The buffer.
        id: BufferId,
        /// The number of bytes that were written.
        bytes: u64,
    },
    /// A block is missing or damaged.
    #[error("block {block} of the buffer `{id}` is missing or damaged")]
    Damaged {
        /// The buffer.
        id: BufferId,
        /// The number of the block, from 0.
        block: u64,
    },
    /// A file with metadata of the buffer is damaged.
    #[error("`{path}` is damaged: {problem}")]
    About {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A tag is invalid.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The path that a buffer was to be exported to exists.
    #[error("`{0}` already exists")]
    Taken(PathBuf),
    /// A directory is not a valid buffer in Tyger's layout.
    #[error("`{path}` {problem}")]
    Layout {
        /// The file or directory.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The input to be written could not be read.
    #[error("cannot read the input: {0}")]
    Source(io::Error),
    /// The output that was read could not be passed on.
    #[error("cannot write the output: {0}")]
    Sink(io::Error),
    /// The caller cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// A file outside the store could not be read or written.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
