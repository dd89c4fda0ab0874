//! What is asked of the sandbox: one command, what it may see, what it must leave behind.

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
    /// Who the command sees itself as.
    pub identity: Identity,
    /// The file system below the inputs.
    pub root: JobRoot,
    /// A fresh writable directory, usually `work`; none where the root itself is [`Access::Layered`].
    pub work: Option<RelPath>,
    /// What lies where, on top of the root; a later one lies on top of an earlier one.
    pub inputs: Vec<JobInput>,
    /// Files of its own that nobody copies for it.
    pub layers: Vec<Layer>,
    /// What is taken afterwards.
    pub outputs: Outputs,
    /// What the command may reach beyond its file system.
    pub network: Network,
    /// Where its network is, if others are to reach it there.
    pub place: Option<NetworkPlace>,
    /// Devices of the host that it is shown, at their own paths.
    pub devices: Vec<PathBuf>,
    /// How strictly it is kept to all this.
    pub level: SandboxLevel,
    /// Where its work directory lies.
    pub scratch: WorkPlace,
    /// How much it may take.
    pub limits: Limits,
    /// When what it writes is told.
    pub logs: Logs,
    /// The time of what is made for it in a root directory of its own, in seconds since 1970.
    pub made_at: i64,
}

/// When what a command writes is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logs {
    /// When it has ended.
    AtEnd,
    /// When it has ended, and all of it also as it is written.
    AtOnce,
}

/// Where a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// One call of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// The program's path: absolute, or relative to `cwd`; a name without a slash is looked for in [`Command::searched`].
    pub program: String,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Its whole environment, in this order; see [`crate::DEFAULT_ENV`].
    pub env: Vec<(String, String)>,
    /// The bytes of its standard input.
    pub stdin: Vec<u8>,
    /// Its working directory, absolute.
    pub cwd: String,
}

impl Command {
    /// The directories in which a program that is only named is looked for: those of its `PATH` that say where they are.
    pub fn searched(&self) -> impl Iterator<Item = &str> {
        let path = self.env.iter().rev().find(|(name, _)| name == "PATH");
        let path = path.map_or("", |(_, value)| value.as_str());
        path.split(':').filter(|dir| !dir.is_empty())
    }
}

/// Who a command sees itself as.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The host's name.
    pub hostname: String,
    /// What it may do beyond what every user may.
    pub rights: Rights,
}

impl Default for Identity {
    fn default() -> Self {
        let (uid, gid, hostname) = (BUILDER_UID, BUILDER_GID, HOSTNAME.to_owned());
        Identity { uid, gid, hostname, rights: Rights::Ordinary }
    }
}

/// The file system that lies under the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobRoot {
    /// The machine's own system directories, read only.
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

/// Something at one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobInput {
    /// Where, below the root directory; missing parents are made.
    pub path: RelPath,
    /// What.
    pub source: Source,
}

/// A directory of the store whose files the command finds in its work directory, at the paths that they have here: they belong to
/// it as copies would, and are copied by the kernel before they are changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The directory, absolute. It holds regular files, as the store has them, at none of which another input of the job lies.
    pub tree: PathBuf,
    /// The directories in it that hold something, without itself.
    pub dirs: Vec<RelPath>,
}

/// What lies at the path of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A regular file of the host, mode 0444 or 0555. It is copied and belongs to the command, unless it lies below `.wake`
    /// in the work directory, where nobody may write; a large one that lies in the store is mounted there.
    File {
        /// The file, absolute.
        host: PathBuf,
        /// Its content as the job's key has it.
        blob: BlobDigest,
        /// Whether it may be executed.
        executable: bool,
        /// What shows that it still has that content.
        seal: Seal,
    },
    /// A regular file given by its bytes.
    Bytes {
        /// Its content.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, by its text.
    Link {
        /// Where it points.
        target: String,
    },
    /// A directory that belongs to the command; in the work directory with nothing in it, elsewhere with what the
    /// root has there.
    Dir,
    /// A file or directory of the host, mounted as it lies.
    Mount {
        /// What is mounted, absolute.
        host: PathBuf,
        /// What the command may do with it.
        access: Access,
    },
}

/// What shows that a file of the host has the content that its digest names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seal {
    /// Nothing yet: it is hashed while it is copied, about 0.15 ms a MiB.
    Digest,
    /// It lies in the store, where nothing changes.
    Store,
}

/// What is taken after the command, and where it is put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// What the paths of [`Outputs::declared`] and of the resulting manifest are relative to.
    pub base: RelPath,
    /// What the command must create, relative to `base`.
    pub declared: Vec<OutputDecl>,
    /// Where nothing may lie afterwards, relative to `base`: the texts of outputs that are no paths, one of which may be meant
    /// as one.
    pub texts: Vec<RelPath>,
    /// A file, relative to `base`, whose bytes are handed back if the command returned 0.
    pub depfile: Option<RelPath>,
    /// A file, relative to `base`, whose bytes are handed back however the command ends, if it is there.
    pub report: Option<RelPath>,
    /// An absent directory of the host that is made and filled; best on the store's own file system.
    pub into: PathBuf,
    /// After which endings.
    pub take: TakeOutputs,
    /// How much of each file is kept.
    pub fidelity: Fidelity,
}

/// How much of each output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fidelity {
    /// Bytes, executable bits and links that stay inside, as modules have them.
    Content,
    /// Mode bits, times and links of any kind as well, as tar wares have them.
    Attributes,
    /// Nothing by its path: what the command changed in its root, which is [`Access::Layered`].
    Changes,
}

/// After which endings outputs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TakeOutputs {
    /// Only if the command returned 0.
    OnSuccess,
    /// Whatever it returned, as formulas want it; a path that does not exist is then simply absent.
    Always,
}

/// Where a work directory lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkPlace {
    /// In memory.
    Memory,
    /// Below this directory of the host, absolute.
    Disk(PathBuf),
}

/// How much a command may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From start to end; none for as long as it likes.
    pub wall: Option<Duration>,
    /// How long it may take to end by itself where it is stopped, once it has been told so by SIGTERM; none: it is killed at once.
    pub grace: Option<Duration>,
    /// Resident in all its processes and in its files in memory, in bytes; none for what the machine has.
    pub memory: Option<u64>,
    /// The time of processors that it may have, in thousandths of one; none for what the machine has.
    pub processors: Option<u64>,
    /// Processes and threads at once.
    pub processes: u64,
    /// What is kept of each of its two output streams, in bytes: the first and the last half.
    pub log: u64,
    /// Files in its work directory and in `/tmp`, each in bytes, where these lie in memory.
    pub disk: u64,
    /// Files there by number.
    pub inodes: u64,
    /// Files in `/dev/shm`, in bytes; none: as in its work directory.
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
    /// The job of a module: `command` in an empty `/work`, nothing declared, everything else as usual.
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
