//! Jobs for the sandbox: one command, what it may see and what it must leave behind.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wake_model::{BlobDigest, OutputDecl, RelPath, SandboxLevel};
pub use wake_model::{MountAccess as Access, Network, Rights};

use crate::defaults::{BUILDER_GID, BUILDER_UID, HOSTNAME, WORK_PATH};
use crate::network_place::NetworkPlace;

/// One command with everything that it may see.
///
/// Paths of inputs and outputs are relative to the root directory that the command sees, as in
/// `wake_model::Action`. Building a module and running a formula are the same job with another
/// [`JobRoot`], another [`Identity`] and another [`Job::work`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What is run.
    pub command: Command,
    /// The user, group and host name that the command sees.
    pub identity: Identity,
    /// The file system below the inputs.
    pub root: JobRoot,
    /// A fresh writable directory, usually `work`; none if the root itself is [`Access::Layered`].
    pub work: Option<RelPath>,
    /// What is placed where, on top of the root; later inputs are placed on top of earlier ones.
    pub inputs: Vec<JobInput>,
    /// The command's own files that show through from the store instead of being copied.
    pub layers: Vec<Layer>,
    /// What is collected afterwards.
    pub outputs: Outputs,
    /// What the command may reach beyond its file system.
    pub network: Network,
    /// Where its network is, if others must be able to reach it there.
    pub place: Option<NetworkPlace>,
    /// Devices of the host that are visible to the command, at their own paths.
    pub devices: Vec<PathBuf>,
    /// How strictly the command is isolated.
    pub level: SandboxLevel,
    /// Where the work directory is.
    pub scratch: WorkPlace,
    /// Resource limits.
    pub limits: Limits,
    /// When its output is reported.
    pub logs: Logs,
    /// The time of entries created for it in a private root directory, in seconds since 1970.
    pub made_at: i64,
}

/// When a command's output is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logs {
    /// Once it has ended.
    AtEnd,
    /// As it is written, and in full once the command has ended.
    AtOnce,
}

/// An output stream of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// One invocation of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program's path: absolute, or relative to `cwd`; a name without a slash is looked up in
    /// [`Command::searched`].
    pub program: String,
    /// Its arguments, without the program name.
    pub args: Vec<String>,
    /// Its whole environment, in this order; see [`crate::DEFAULT_ENV`].
    pub env: Vec<(String, String)>,
    /// The bytes of its standard input.
    pub stdin: Vec<u8>,
    /// Its working directory, absolute.
    pub cwd: String,
}

impl Command {
    /// Returns the directories in which a program without a slash is looked up: the absolute ones in `PATH`.
    pub fn searched(&self) -> impl Iterator<Item = &str> {
        let path = self.env.iter().rev().find(|(name, _)| name == "PATH");
        let path = path.map_or("", |(_, value)| value.as_str());
        path.split(':').filter(|dir| !dir.is_empty())
    }
}

/// The user, group and host name that a command sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
    /// The host name.
    pub hostname: String,
    /// Rights beyond those of an ordinary user.
    pub rights: Rights,
}

impl Default for Identity {
    fn default() -> Self {
        let (uid, gid, hostname) = (BUILDER_UID, BUILDER_GID, HOSTNAME.to_owned());
        Identity { uid, gid, hostname, rights: Rights::Ordinary }
    }
}

/// The file system below the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobRoot {
    /// The machine's own system directories, read-only.
    Host,
    /// Nothing but `/dev`, `/proc` and `/tmp`.
    Empty,
    /// A directory of the host.
    Dir {
        /// The directory, absolute.
        host: PathBuf,
        /// What the command may do with it.
        access: Access,
    },
}

/// What is placed at one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInput {
    /// The path below the root directory; missing parents are created.
    pub path: RelPath,
    /// What is placed there.
    pub source: Source,
}

/// A directory of the store whose files appear in the command's work directory, at the same paths: they belong to the
/// command as copies would, and the kernel copies them before they are changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The directory, absolute. It contains regular files, as stored in the store; no other input of the job has the
    /// path of one of them.
    pub tree: PathBuf,
    /// The directories in it that contain something, except itself.
    pub dirs: Vec<RelPath>,
}

/// What is placed at the path of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A regular file of the host, with mode 0444 or 0555. It is copied and belongs to the command, unless it is below
    /// `.wake` in the work directory, which is read-only; there, a large file of the store is mounted instead.
    File {
        /// The file, absolute.
        host: PathBuf,
        /// Its content according to the job's key.
        blob: BlobDigest,
        /// Whether it is executable.
        executable: bool,
        /// Evidence that it still has that content.
        seal: Seal,
    },
    /// A regular file with these bytes.
    Bytes {
        /// Its content.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether it is executable.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// The link's target.
        target: String,
    },
    /// A directory that belongs to the command; empty in the work directory, elsewhere with the contents that the root
    /// has there.
    Dir,
    /// A file or directory of the host, mounted as it is.
    Mount {
        /// What is mounted, absolute.
        host: PathBuf,
        /// What the command may do with it.
        access: Access,
    },
}

/// Evidence that a file of the host has the content that its digest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seal {
    /// None yet: the file is hashed while it is copied, about 0.15 ms per MiB.
    Digest,
    /// It is in the store, where nothing changes.
    Store,
}

/// What is collected after the command, and where it is put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The directory that [`Outputs::declared`] and the resulting manifest are relative to.
    pub base: RelPath,
    /// What the command must create, relative to `base`.
    pub declared: Vec<OutputDecl>,
    /// Paths at which nothing may exist afterwards, relative to `base`: outputs that are plain text, which may have
    /// been meant as a path.
    pub texts: Vec<RelPath>,
    /// A file, relative to `base`, whose bytes are returned if the command exited with 0.
    pub depfile: Option<RelPath>,
    /// A file, relative to `base`, whose bytes are returned however the command ends, if it exists.
    pub report: Option<RelPath>,
    /// A directory of the host, not yet existing, that is created and filled; best on the store's own file system.
    pub into: PathBuf,
    /// After which endings outputs are collected.
    pub take: TakeOutputs,
    /// How much of each file's metadata is kept.
    pub fidelity: Fidelity,
}

/// How much of each output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fidelity {
    /// Content, executable bits and links that stay inside, as for modules.
    Content,
    /// Also mode bits, times and links of any kind, as for tar wares.
    Attributes,
    /// No individual paths, but what the command changed in its root, which is [`Access::Layered`].
    Changes,
}

/// After which endings outputs are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakeOutputs {
    /// Only if the command exited with 0.
    OnSuccess,
    /// Whatever its exit code, as formulas require; a path that does not exist is left out.
    Always,
}

/// Where a work directory is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkPlace {
    /// In memory.
    Memory,
    /// Below this directory of the host, absolute.
    Disk(PathBuf),
}

/// The resources that a command may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall-clock time; none for no limit.
    pub wall: Option<Duration>,
    /// How long it may take to exit after SIGTERM when it is stopped; none to kill it at once.
    pub grace: Option<Duration>,
    /// Resident memory of all its processes and its files in memory, in bytes; none for no limit.
    pub memory: Option<u64>,
    /// CPU time, in thousandths of a processor; none for no limit.
    pub processors: Option<u64>,
    /// Processes and threads at the same time.
    pub processes: u64,
    /// Bytes kept of each of its two output streams: the first and the last half.
    pub log: u64,
    /// Bytes of files in the work directory and in `/tmp` each, where these are in memory.
    pub disk: u64,
    /// Number of files in each of them.
    pub inodes: u64,
    /// Bytes of files in `/dev/shm`; none for the same limit as the work directory.
    pub shared_memory: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            wall: None,
            grace: None,
            memory: None,
            processors: None,
            processes: 4096,
            log: 8 << 20,
            disk: 8 << 30,
            inodes: 1 << 20,
            shared_memory: None,
        }
    }
}

impl Job {
    /// Returns the job of a module: `command` in an empty `/work`, nothing declared, defaults for everything else.
    pub fn module(command: Command, into: PathBuf) -> Self {
        let work = RelPath::parse(WORK_PATH).unwrap_or_default();
        Job {
            command,
            identity: Identity::default(),
            root: JobRoot::Host,
            work: Some(work.clone()),
            inputs: Vec::new(),
            layers: Vec::new(),
            outputs: Outputs {
                base: work,
                declared: Vec::new(),
                texts: Vec::new(),
                depfile: None,
                report: None,
                into,
                take: TakeOutputs::OnSuccess,
                fidelity: Fidelity::Content,
            },
            network: Network::None,
            place: None,
            devices: Vec::new(),
            level: SandboxLevel::Strict,
            scratch: WorkPlace::Memory,
            limits: Limits::default(),
            logs: Logs::AtEnd,
            made_at: crate::defaults::input_time(),
        }
    }
}
