//! What came of a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wake_model::{Manifest, Outcome, RelPath, Usage};

/// A command that ran to its end, good or bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobResult {
    /// How it ended.
    pub outcome: Outcome,
    /// What it wrote to standard output.
    pub stdout: Log,
    /// What it wrote to standard error.
    pub stderr: Log,
    /// What it used.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
    /// What was taken, or everything that was wrong with what it left; empty where nothing was to be taken.
    ///
    /// The files lie below [`crate::Outputs::into`] under the same paths: files 0444 or 0555, directories
    /// 0755, times at 1980-01-02. Nothing lies there if something was wrong.
    pub outputs: Result<Manifest, Vec<OutputFault>>,
    /// The bytes of [`crate::Outputs::depfile`].
    pub depfile: Option<ByteBuf>,
    /// The bytes of [`crate::Outputs::report`], or what is wrong with it; none if it is not there.
    pub report: Option<Result<ByteBuf, OutputFault>>,
    /// What changed in the root, where that is what is taken; sorted by path. Files lie below [`crate::Outputs::into`] under
    /// their numbers.
    pub changes: Vec<Change>,
}

impl JobResult {
    /// Whether the command returned 0 and left what it was to leave.
    pub fn is_success(&self) -> bool {
        self.outcome.is_success() && self.outputs.is_ok()
    }
}

/// Something that a command changed in a root of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where, below the root; empty for the root itself.
    pub path: String,
    /// What is there now.
    pub what: Changed,
    /// Its permission bits, with setuid, setgid and sticky.
    pub mode: u16,
    /// The numbers of its user and group, as they are on disk.
    pub owner: [u32; 2],
    /// Whether what lay there before belonged to the same.
    pub kept_owner: bool,
    /// Whether it is of the same kind and has the same bits as what lay there before.
    pub kept_mode: bool,
    /// The rights of a program, as the attribute `security.capability` has them.
    pub capability: Option<Vec<u8>>,
}

impl Change {
    /// One by which nothing is there that would be somebody's.
    pub(crate) fn of_nobody(path: String, what: Changed) -> Change {
        let (mode, owner, kept_owner, kept_mode) = (0, [0, 0], false, false);
        Change { path, what, mode, owner, kept_owner, kept_mode, capability: None }
    }
}

/// What has become of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// A regular file.
    File {
        /// Its number.
        number: u64,
        /// Bytes.
        size: u64,
    },
    /// A directory that is new, or has other rights or another owner.
    Dir,
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
    /// A named pipe.
    Pipe,
    /// Nothing.
    Gone,
    /// A directory in which nothing is left of what was there.
    Emptied,
}

/// A stream as it was kept.
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
    /// The kept bytes, with a line between head and tail that says how much is missing.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes dropped]\n", self.dropped).as_bytes());
            bytes.extend_from_slice(&self.tail);
        }
        bytes
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.dropped == 0
    }
}

/// Where the time of a job went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Waiting for a worker, starting one included.
    pub wait: Duration,
    /// Preparing the file system.
    pub setup: Duration,
    /// From the start of the command until its last process was gone.
    pub run: Duration,
    /// Hashing and taking the outputs.
    pub collect: Duration,
}

/// Something wrong with what a command left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{path}` {fault}")]
pub struct OutputFault {
    /// Which path, relative to [`crate::Outputs::base`], written as UTF-8 as far as it is.
    pub path: String,
    /// What is wrong.
    pub fault: OutputDefect,
}

/// What is wrong with an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OutputDefect {
    /// It was declared and does not exist.
    #[error("was declared as an output and does not exist")]
    Missing,
    /// It was declared as a directory.
    #[error("was declared as a directory and is something else")]
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
    /// It runs with its owner's rights.
    #[error("has the setuid or setgid bit, which an output may not have")]
    SetId,
    /// It has a name that is not UTF-8.
    #[error("has a name that is not valid UTF-8")]
    NameNotUtf8,
    /// It points to what is not part of the outputs.
    #[error("is a link to `{target}`, which is not part of the outputs")]
    LinkLeaves {
        /// Where it points.
        target: String,
    },
    /// It lies behind a symbolic link, which is never followed.
    #[error("lies behind a symbolic link, which is not followed")]
    BehindLink,
    /// With it the outputs hold more bytes than the job's limit.
    #[error("exceeds the limit of {limit} bytes for all outputs")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It lies deeper than directories may be nested.
    #[error("lies more than {limit} directories deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// It was made, and an output that is a text reads the same.
    #[error(
        "was made by the command, and the output that names it is only a text: write `./{path}`"
    )]
    NamedAsText {
        /// The path again.
        path: String,
    },
    /// It is to say what the command has read, and does not exist.
    #[error("is the depfile, and does not exist")]
    NoDepfile,
    /// It is to say what the command has read, and is something else than a file.
    #[error("is the depfile, and is no regular file")]
    DepfileNoFile,
    /// It says more than is read.
    #[error("is the depfile, and has more than {limit} bytes")]
    DepfileTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is to say what became of the cases of a test, and is something else than a file.
    #[error("is the report of a test, and is no regular file")]
    ReportNoFile,
    /// It says more than is read.
    #[error("is the report of a test, and has more than {limit} bytes")]
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
