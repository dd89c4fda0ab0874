//! How much one evaluation may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds of one evaluation; exceeding any of them is an error that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory a worker may use, apart from its stack.
    pub memory: u64,
    /// Wall-clock time of one request.
    pub deadline: Duration,
    /// Values in a result.
    pub nodes: usize,
    /// Bytes of text in a result.
    pub text_bytes: usize,
    /// Calls inside calls.
    pub depth: usize,
    /// Bytes of one source file.
    pub source_bytes: usize,
    /// Bytes of a worker's stack; only what is touched is ever used.
    pub stack: usize,
    /// Requests after which a worker is replaced by a fresh one.
    pub requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 1 << 30,
            deadline: Duration::from_secs(30),
            nodes: 1_000_000,
            text_bytes: 64 << 20,
            depth: 500,
            source_bytes: 256 << 10,
            stack: 512 << 20,
            requests: 10_000,
        }
    }
}
