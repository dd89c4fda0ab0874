//! The metadata of a buffer, and how its writing ended.

use serde::{Deserialize, Serialize};
use wake_model::{BlobDigest, Tags};

/// The metadata of a buffer, which can change; times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) created: u64,
    #[serde(default)]
    pub(crate) tags: Tags,
    #[serde(default)]
    pub(crate) expires: Option<u64>,
    #[serde(default)]
    pub(crate) deleted: Option<u64>,
}

/// How the writing of a buffer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum End {
    /// It is complete: its content, and the BLAKE3 of the records of its blocks.
    Complete { content: BlobDigest, size: u64, blocks: BlobDigest },
    /// It will never be complete, for this reason.
    Failed { reason: String },
}

/// The content of a complete stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The BLAKE3 of all bytes, independent of block boundaries.
    pub digest: BlobDigest,
    /// The number of bytes.
    pub size: u64,
}

/// The state of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been written.
    Unwritten,
    /// It is being written.
    Writing,
    /// It is complete.
    Complete(Content),
    /// Its writer declared that it will not be complete.
    Failed(String),
    /// Its writer ended without completing or failing it.
    BrokenOff,
}

impl State {
    /// The word for the state.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Unwritten => "unwritten",
            State::Writing => "writing",
            State::Complete(_) => "complete",
            State::Failed(_) => "failed",
            State::BrokenOff => "broken off",
        }
    }
}

impl From<End> for State {
    fn from(end: End) -> State {
        match end {
            End::Complete { content: digest, size, .. } => {
                State::Complete(Content { digest, size })
            }
            End::Failed { reason } => State::Failed(reason),
        }
    }
}
