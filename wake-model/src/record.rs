//! Results of running an action.

use serde::{Deserialize, Serialize};

use crate::action::SandboxLevel;
use crate::digest::BlobDigest;
use crate::tree::Manifest;
use crate::ware::WareId;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It exited with this status.
    Exited(i32),
    /// It was terminated by the signal of this number.
    Signaled(i32),
    /// It exceeded the time limit.
    TimedOut,
    /// It exceeded the memory limit.
    OutOfMemory,
}

impl Outcome {
    /// Whether the command succeeded.
    pub fn is_success(&self) -> bool {
        *self == Outcome::Exited(0)
    }

    /// Returns the exit code as in a shell: 128 plus the number of a signal.
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

/// The resources that a command used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Wall-clock time in microseconds.
    pub wall_us: u64,
    /// User processor time in microseconds.
    pub user_us: u64,
    /// System processor time in microseconds.
    pub sys_us: u64,
    /// The peak resident memory of a single process, in bytes.
    pub peak_bytes: u64,
}

/// The stored output stream of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRef {
    /// The stored bytes.
    pub blob: BlobDigest,
    /// Their number.
    pub size: u64,
    /// The number of bytes dropped between the stored head and the stored tail.
    pub dropped: u64,
}

/// The result of running an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The unique id of this run: `tttttttt-rrrrrrrr-rrrrrrrr`, time first.
    pub guid: String,
    /// The start time, in milliseconds since 1970.
    pub started_ms: u64,
    /// How the command ended.
    pub outcome: Outcome,
    /// The outputs; empty unless the command succeeded.
    pub outputs: Manifest,
    /// The wares among the outputs, in the order of the action. Their packed bytes are files in
    /// [`RunRecord::outputs`], named by these ids, except for wares of nothing.
    pub wares: Vec<WareId>,
    /// Standard output, if the command wrote any.
    pub stdout: Option<LogRef>,
    /// Standard error, if the command wrote any.
    pub stderr: Option<LogRef>,
    /// The resources used.
    pub usage: Usage,
    /// How strictly the declared inputs were enforced.
    pub sandbox: SandboxLevel,
}
