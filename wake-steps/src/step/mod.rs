//! A step: one command with what it is to see and to leave, of which some is not there yet.
//!
//! Whoever has documents of some kind makes steps of them. Everything in a step is known by its content, or is what
//! another step leaves, or a ware that can be fetched; [`pin`](crate::pin::pin) makes it an action.

mod own_files;
mod inputs;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wake_model::action::{Command, User};
use wake_model::{BlobDigest, MountAccess, Network, Outputs, RelPath, TreeDigest, WareId};
use wake_store::Store;
use wake_store::ware::Warehouse;

pub(crate) use self::inputs::is_own;
pub use self::inputs::{Conflict, Inputs};
pub use self::own_files::OwnFiles;

/// The number of a step among those that are performed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub usize);

/// One command that can be pinned as soon as what it needs is done.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is done.
    pub command: Command,
    /// The file system below the inputs.
    pub root: Root,
    /// A directory that is made for the command to write to, which is also where paths of inputs and outputs start; or
    /// the root `/` itself, which then is the command's own copy.
    pub work: RelPath,
    /// What lies where.
    pub inputs: Inputs,
    /// Directories, from [`Step::work`], that belong to the command whatever the inputs say.
    pub own_dirs: Vec<RelPath>,
    /// What the command must leave behind; paths from [`Step::work`].
    pub outputs: Outputs,
    /// Who the command is.
    pub user: User,
    /// What it may reach beyond its file system.
    pub network: Network,
    /// How it is to be run; no part of its key.
    pub terms: Terms,
}

/// How much a command may take and how it is treated: never part of a key, because it can only turn a success into a
/// failure, and failures are not remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Seconds from start to end.
    pub timeout: Option<f64>,
    /// How long it may take to end where it is stopped, once it has been told so; none: it is killed. Never of a step that a snapshot
    /// knows.
    #[serde(skip)]
    pub grace: Option<Duration>,
    /// Places among the commands that run at once; none: one.
    pub cpus: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// The time of processors that it may have, in thousandths of one. Never of a step that a snapshot knows.
    #[serde(skip)]
    pub processors: Option<u64>,
    /// Bytes in `/dev/shm`; none: as many as in its work directory. Never of a step that a snapshot knows.
    #[serde(skip)]
    pub shared_memory: Option<u64>,
    /// Where its network is, if others are to reach it there. Never of a step that a snapshot knows.
    #[serde(skip)]
    pub place: Option<wake_exec::NetworkPlace>,
    /// Devices of the machine that it is shown. Never of a step that a snapshot knows.
    #[serde(skip)]
    pub devices: Vec<PathBuf>,
    /// Whether its files lie on disk instead of in memory.
    pub on_disk: bool,
    /// Whether what it writes is told as it is written.
    pub live: bool,
    /// Paths from [`Step::work`] at which it may leave nothing, because an output that is a mere text reads the same: the
    /// path that was meant would be lost.
    pub texts: Vec<RelPath>,
    /// The file, from [`Step::work`], in which the command says what it has read, as Make has it: what it does not name may
    /// change, and the result stays.
    pub depfile: Option<RelPath>,
    /// The file, from [`Step::work`], in which a test says what became of its cases.
    pub report: Option<RelPath>,
    /// Where what it left is put if it fails, absolute and on the file system of the store; what lies there gives way.
    #[serde(skip)]
    pub left_behind: Option<PathBuf>,
    /// Whether what comes of it is forgotten, since it hangs on more than its key says. Never of a step that a snapshot
    /// knows.
    #[serde(skip)]
    pub forgotten: bool,
}

/// The file system that lies under the inputs.
#[derive(Clone, Debug)]
pub enum Root {
    /// The machine's own system directories, read only.
    Host,
    /// Nothing.
    Empty,
    /// A tree of the store.
    Tree {
        /// The tree.
        tree: TreeDigest,
        /// What it was put together from.
        origin: TreeOrigin,
    },
    /// A directory that another step leaves.
    Output {
        /// The step.
        step: StepId,
        /// The directory among its outputs.
        below: RelPath,
    },
    /// An unpacked ware.
    Ware {
        /// The ware, and where it may be.
        fetch: Fetch,
        /// What it was made of.
        origin: TreeOrigin,
    },
    /// A directory of the machine as it lies: what comes of the step is not remembered.
    Mount {
        /// Where it lies, absolute.
        host: PathBuf,
        /// What the command may do with it.
        access: MountAccess,
    },
    /// A tree that is not here, and that is not fetched where steps are only looked at. No step with one can be pinned.
    Absent {
        /// What it would be fetched from.
        of: String,
    },
}

/// A ware, and where it may be.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The ware.
    pub ware: WareId,
    /// Warehouses that may have it, tried in this order.
    pub from: Vec<Warehouse>,
}

/// What a tree of the store was put together from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TreeOrigin {
    /// Files that somebody wrote, by their paths from where the [`SourceFiles`] lie.
    Files {
        /// The directory that is the tree's root, or the archive that was unpacked.
        base: RelPath,
        /// The files at it and below it.
        files: Vec<RelPath>,
    },
    /// Something with a name that says what is in it, such as a ware.
    Named,
    /// An archive that a step left.
    Archive(StepId),
}

/// One thing at one path.
#[derive(Clone, Debug)]
pub enum Input {
    /// A regular file that lies where it was written.
    File(SourceFile),
    /// A regular file, given by its bytes.
    Bytes {
        /// Its content.
        bytes: Vec<u8>,
        /// Whether it may be executed.
        executable: bool,
    },
    /// What another step leaves.
    Output {
        /// The step.
        step: StepId,
        /// The path among its outputs.
        below: RelPath,
    },
    /// A tree of the store.
    Tree {
        /// The tree.
        tree: TreeDigest,
        /// What it was put together from.
        origin: TreeOrigin,
    },
    /// An unpacked ware.
    Ware(Fetch),
    /// A file or directory of the machine as it lies: what comes of the step is not remembered.
    Mount {
        /// Where it lies, absolute.
        host: PathBuf,
        /// What the command may do with it.
        access: MountAccess,
    },
    /// A symbolic link, by its text.
    Link {
        /// Where it points.
        target: String,
    },
    /// An empty directory.
    Dir,
}

/// A file that somebody wrote, with what it held when it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFile {
    /// Where its path starts.
    pub base: SourceBase,
    /// The file's path from there.
    pub below: RelPath,
    /// Its content.
    pub blob: BlobDigest,
    /// Bytes.
    pub size: u64,
    /// Whether it may be executed.
    pub executable: bool,
    /// The bytes themselves, where they were just read.
    pub bytes: Option<Vec<u8>>,
}

/// Where the path of a file starts that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceBase {
    /// A directory, from where the [`SourceFiles`] lie: it may be edited at any time.
    Dir(RelPath),
    /// A tree of the store.
    Tree(TreeDigest),
}

/// Smaller files are copied for each command, which costs less than showing them from the store, in bytes; unless there are
/// [`MANY`](OwnFiles::MANY).
const LARGE: u64 = 256 << 10;

impl SourceFile {
    /// Whether commands are shown it from the store, instead of a copy of their own.
    pub(crate) fn is_large(&self) -> bool {
        self.size >= LARGE
    }

    /// Where it lies on this machine, absolute.
    pub fn place(&self, sources: &dyn SourceFiles, store: &Store) -> PathBuf {
        match &self.base {
            SourceBase::Dir(dir) => sources.place(dir, &self.below),
            SourceBase::Tree(tree) => store.tree_place(tree).join(self.below.as_str()),
        }
    }
}

/// Where the files lie that steps name.
pub trait SourceFiles: Sync {
    /// The place of `below` in the directory `dir`, absolute.
    fn place(&self, dir: &RelPath, below: &RelPath) -> PathBuf;
}

/// Files below one directory.
impl SourceFiles for PathBuf {
    fn place(&self, dir: &RelPath, below: &RelPath) -> PathBuf {
        self.join(dir.join(below).as_str())
    }
}

impl Input {
    /// Whether both are one thing.
    pub(super) fn is_same(&self, other: &Input) -> bool {
        match (self, other) {
            (Input::File(one), Input::File(other)) => {
                (one.blob, one.executable) == (other.blob, other.executable)
            }
            (
                Input::Bytes { bytes, executable },
                Input::Bytes { bytes: other_bytes, executable: other_executable },
            ) => bytes == other_bytes && executable == other_executable,
            (
                Input::Output { step, below },
                Input::Output { step: other_step, below: other_below },
            ) => step == other_step && below == other_below,
            (Input::Tree { tree, .. }, Input::Tree { tree: other, .. }) => tree == other,
            (Input::Ware(one), Input::Ware(other)) => one.ware == other.ware,
            (Input::Link { target }, Input::Link { target: other }) => target == other,
            (Input::Dir, Input::Dir) => true,
            _ => false,
        }
    }

    /// Lets go of the bytes of a file if they are more than `room`; says how many there are now.
    pub(super) fn hold(&mut self, room: usize) -> usize {
        let Input::File(SourceFile { bytes, .. }) = self else { return 0 };
        *bytes = bytes.take().filter(|bytes| bytes.len() <= room);
        bytes.as_ref().map_or(0, Vec::len)
    }
}
