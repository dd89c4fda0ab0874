//! What is said of a buffer beside its bytes, and how its writing ended.

use serde::{Deserialize, Serialize};
use wake_model::{BlobDigest, Tags};

/// What may change of a buffer; times are milliseconds since 1970.
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

/// How its writing ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum End {
    /// It is whole: what it holds, and BLAKE3 of the records of its blocks.
    Complete { content: BlobDigest, size: u64, blocks: BlobDigest },
    /// It never will be, and why.
    Failed { reason: String },
}

/// What a stream that is whole holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// BLAKE3 of all of its bytes, wherever blocks begin.
    pub digest: BlobDigest,
    /// Bytes.
    pub size: u64,
}

/// How far a buffer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has written it.
    Unwritten,
    /// Somebody is writing it.
    Writing,
    /// It is whole.
    Complete(Content),
    /// Its writer said that it is not whole.
    Failed(String),
    /// Its writer ended without a word.
    BrokenOff,
}

impl State {
    /// The word for it.
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
