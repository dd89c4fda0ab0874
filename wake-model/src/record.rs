//! What came of running an action.

use serde::{Deserialize, Serialize};

use crate::action::SandboxLevel;
use crate::digest::BlobDigest;
use crate::tree::Manifest;
use crate::ware::WareId;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It returned this status.
    Exited(i32),
    /// A signal of this number ended it.
    Signaled(i32),
    /// It ran longer than it may.
    TimedOut,
    /// It took more memory than it may.
    OutOfMemory,
}

impl Outcome {
    /// Whether the command succeeded.
    pub fn is_success(&self) -> bool {
        *self == Outcome::Exited(0)
    }

    /// The status as shells give it: 128 and the number for a signal.
    pub fn exit_code(&self) -> i32 {
        match self {
            Outcome::Exited(code) => *code,
            Outcome::Signaled(signal) => 128 + signal,
            Outcome::TimedOut => 124,
            Outcome::OutOfMemory => 137,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Exited(code) => write!(f, "exit {code}"),
            Outcome::Signaled(signal) => write!(f, "signal {signal}"),
            Outcome::TimedOut => f.write_str("time limit"),
            Outcome::OutOfMemory => f.write_str("memory limit"),
        }
    }
}

/// What a command used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From start to end, in microseconds.
    pub wall_us: u64,
    /// Processor time in user mode, in microseconds.
    pub user_us: u64,
    /// Processor time in the kernel, in microseconds.
    pub sys_us: u64,
    /// The most memory resident at once in one process, in bytes.
    pub peak_bytes: u64,
}

/// A stream that a command wrote, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRef {
    /// The kept bytes.
    pub blob: BlobDigest,
    /// Their number.
    pub size: u64,
    /// How many bytes were dropped between the kept head and the kept tail.
    pub dropped: u64,
}

/// What came of running an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Names this run among all others: `tttttttt-rrrrrrrr-rrrrrrrr`, time first.
    pub guid: String,
    /// When it started, in milliseconds since 1970.
    pub started_ms: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it left behind; empty unless it succeeded.
    pub outputs: Manifest,
    /// What outputs are that are kept as packed wares, in the order of the action; the packed bytes are files among
    /// [`RunRecord::outputs`] that are named by these ids, but for wares of nothing.
    pub wares: Vec<WareId>,
    /// Its standard output, where it wrote any.
    pub stdout: Option<LogRef>,
    /// Its standard error, where it wrote any.
    pub stderr: Option<LogRef>,
    /// What it used.
    pub usage: Usage,
    /// How strictly it was kept to what is declared.
    pub sandbox: SandboxLevel,
}
