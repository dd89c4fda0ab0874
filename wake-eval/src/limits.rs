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
    /// Bytes of one source file that is parsed.
    pub source_bytes: usize,
    /// Expressions inside expressions in a source file.
    pub nesting: usize,
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
            // A test of the reference engines counts to 10,000.
            depth: 10_100,
            source_bytes: 16 << 20,
            nesting: 50_000,
            stack: 512 << 20,
            requests: 10_000,
        }
    }
}
