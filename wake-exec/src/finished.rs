//! The result of a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wake_model::{Manifest, Outcome, RelPath, Usage};

/// A command that ran to its end, whether it succeeded or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// How the command ended.
    pub outcome: Outcome,
    /// What it wrote to standard output.
    pub stdout: Log,
    /// What it wrote to standard error.
    pub stderr: Log,
    /// What it used.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
    /// The collected outputs, or everything that is wrong with them; empty if nothing was to be collected.
    ///
    /// The files are below [`crate::Outputs::into`] under the same paths: files 0444 or 0555, directories 0755, times
    /// at 1980-01-02. If anything was wrong, nothing is there.
    pub outputs: Result<Manifest, Vec<OutputFault>>,
    /// The bytes of [`crate::Outputs::depfile`].
    pub depfile: Option<ByteBuf>,
    /// The bytes of [`crate::Outputs::report`], or what is wrong with it; none if it does not exist.
    pub report: Option<Result<ByteBuf, OutputFault>>,
    /// What changed in the root, if that is what is collected; sorted by path. Files are below [`crate::Outputs::into`]
    /// under their numbers.
    pub changes: Vec<Change>,
}

impl JobResult {
    /// Returns whether the command exited with 0 and left the outputs that it had to.
    pub fn is_success(&self) -> bool {
        self.outcome.is_success() && self.outputs.is_ok()
    }
}

/// A change that a command made to its private root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path below the root; empty for the root itself.
    pub path: String,
    /// What is there now.
    pub what: Changed,
    /// Its mode bits, including setuid, setgid and sticky.
    pub mode: u16,
    /// Its user and group IDs, as on disk.
    pub owner: [u32; 2],
    /// Whether the previous entry had the same owner.
    pub kept_owner: bool,
    /// Whether the previous entry was of the same kind and had the same mode bits.
    pub kept_mode: bool,
    /// The file capabilities, as stored in the attribute `security.capability`.
    pub capability: Option<Vec<u8>>,
}

impl Change {
    /// Returns a change to an entry that has no owner of its own.
    pub(crate) fn of_nobody(path: String, what: Changed) -> Change {
        let (mode, owner, kept_owner, kept_mode) = (0, [0, 0], false, false);
        Change { path, what, mode, owner, kept_owner, kept_mode, capability: None }
    }
}

/// What became of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// A regular file.
    File {
        /// The file's number.
        number: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// A directory that is new, or whose mode or owner changed.
    Dir,
    /// A symbolic link.
    Link {
        /// The link's target.
        target: String,
    },
    /// A named pipe.
    Pipe,
    /// The path was removed.
    Gone,
    /// A directory none of whose previous entries is left.
    Emptied,
}

/// An output stream as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The first bytes; all of them unless some were dropped.
    pub head: Vec<u8>,
    /// How many bytes were dropped after the head.
    pub dropped: u64,
    /// The last bytes; empty unless some were dropped.
    pub tail: Vec<u8>,
}

impl Log {
    /// Returns the kept bytes, with a line between head and tail that states how many are missing.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes dropped]\n", self.dropped).as_bytes());
            bytes.extend_from_slice(&self.tail);
        }
        bytes
    }

    /// Returns whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.dropped == 0
    }
}

/// Where the time of a job went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Waiting for a worker, including starting one.
    pub wait: Duration,
    /// Preparing the file system.
    pub setup: Duration,
    /// From the start of the command until its last process had exited.
    pub run: Duration,
    /// Hashing and collecting the outputs.
    pub collect: Duration,
}

/// A fault in what a command left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{path}` {fault}")]
pub struct OutputFault {
    /// The path relative to [`crate::Outputs::base`], converted to UTF-8 lossily.
    pub path: String,
    /// What is wrong.
    pub fault: OutputDefect,
}

/// What is wrong with an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OutputDefect {
    /// It is declared but does not exist.
    #[error("was declared as an output but does not exist")]
    Missing,
    /// It is declared as a directory but is not one.
    #[error("was declared as a directory but is something else")]
    NotADirectory,
    /// It is a device.
    #[error("is a device, which cannot be an output")]
    Device,
    /// It is a named pipe.
    #[error("is a named pipe, which cannot be an output")]
    Fifo,
    /// It is a socket.
    #[error("is a socket, which cannot be an output")]
    Socket,
    /// It would run with its owner's rights.
    #[error("has the setuid or setgid bit, which an output may not have")]
    SetId,
    /// It has a name that is not UTF-8.
    #[error("has a name that is not UTF-8")]
    NameNotUtf8,
    /// It points to something that is not part of the outputs.
    #[error("is a link to `{target}`, which is not part of the outputs")]
    LinkLeaves {
        /// The link's target.
        target: String,
    },
    /// It is behind a symbolic link, and links are never followed.
    #[error("is behind a symbolic link, which is not followed")]
    BehindLink,
    /// The outputs up to and including this one exceed the job's limit.
    #[error("exceeds the limit of {limit} bytes for all outputs")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is nested too deeply.
    #[error("is more than {limit} directories deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It was created, and an output that is plain text has the same spelling.
    #[error(
        "was created by the command, but the output that names it is plain text: write `./{path}`"
    )]
    NamedAsText {
        /// The path as spelled.
        path: String,
    },
    /// The depfile does not exist.
    #[error("is the depfile but does not exist")]
    NoDepfile,
    /// The depfile is not a regular file.
    #[error("is the depfile but not a regular file")]
    DepfileNoFile,
    /// The depfile is too large.
    #[error("is the depfile and is larger than {limit} bytes")]
    DepfileTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The test report is not a regular file.
    #[error("is the test report but not a regular file")]
    ReportNoFile,
    /// The test report is too large.
    #[error("is the test report and is larger than {limit} bytes")]
    ReportTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Two outputs contradict each other.
    #[error("is both a file and a directory")]
    Conflict,
}

impl OutputFault {
    pub(crate) fn new(path: &RelPath, fault: OutputDefect) -> Self {
        OutputFault { path: path.as_str().to_owned(), fault }
    }
}
