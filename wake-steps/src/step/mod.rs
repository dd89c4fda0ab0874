//! A step: one command with its inputs and outputs, some of which may not exist yet.
//!
//! Fronts make steps of their documents. Everything in a step is known by content, or is the output of another
//! step, or a ware that can be fetched; [`pin`](crate::pin::pin) turns it into an action.

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

/// The number of a step in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub usize);

/// One command that can be pinned once its dependencies are done.
#[derive(Clone, Debug)]
pub struct Step {
    /// What to do.
    pub command: Command,
    /// The file system below the inputs.
    pub root: Root,
    /// A writable directory for the command, to which paths of inputs and outputs are relative; or
    /// the root `/` itself, which then is the command's own copy.
    pub work: RelPath,
    /// The inputs, by path.
    pub inputs: Inputs,
    /// Directories, relative to [`Step::work`], that belong to the command whatever the inputs say.
    pub own_dirs: Vec<RelPath>,
    /// What the command must produce; paths are relative to [`Step::work`].
    pub outputs: Outputs,
    /// The user that the command runs as.
    pub user: User,
    /// Whether it has a network.
    pub network: Network,
    /// How to run it; not part of its key.
    pub terms: Terms,
}

/// How a command is run and limited. Never part of a key, because terms can only turn a success into a
/// failure, and failures are not cached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Time limit in seconds.
    pub timeout: Option<f64>,
    /// How long it may take to end after it was told to stop; none: it is killed at once. Never set for a step in a snapshot.
    #[serde(skip)]
    pub grace: Option<Duration>,
    /// Slots that it takes; none: one.
    pub cpus: Option<u32>,
    /// Memory limit in bytes.
    pub memory: Option<u64>,
    /// Processor time that it may use, in thousandths of a processor. Never set for a step in a snapshot.
    #[serde(skip)]
    pub processors: Option<u64>,
    /// The size of `/dev/shm` in bytes; none: that of its work directory. Never set for a step in a snapshot.
    #[serde(skip)]
    pub shared_memory: Option<u64>,
    /// Where its network is, if others have to reach it there. Never set for a step in a snapshot.
    #[serde(skip)]
    pub place: Option<wake_exec::NetworkPlace>,
    /// Devices of the machine that it can see. Never set for a step in a snapshot.
    #[serde(skip)]
    pub devices: Vec<PathBuf>,
    /// Whether its files are on disk instead of in memory.
    pub on_disk: bool,
    /// Whether its output is reported as it is written.
    pub live: bool,
    /// Paths, relative to [`Step::work`], at which it must not create anything, because an output that is plain text
    /// reads the same: the path that was meant would be lost.
    pub texts: Vec<RelPath>,
    /// The depfile, relative to [`Step::work`], in which the command lists what it read in Make's syntax: the result stays
    /// valid when files change that it does not list.
    pub depfile: Option<RelPath>,
    /// The file, relative to [`Step::work`], in which a test reports its cases.
    pub report: Option<RelPath>,
    /// Where its outputs are moved if it fails, absolute and on the file system of the store; what is there is replaced.
    #[serde(skip)]
    pub left_behind: Option<PathBuf>,
    /// Whether its result is not cached, because it depends on more than its key. Never set for a step in a
    /// snapshot.
    #[serde(skip)]
    pub forgotten: bool,
}

/// The file system below the inputs.
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
        /// What it was assembled from.
        origin: TreeOrigin,
    },
    /// A directory among the outputs of another step.
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
        /// What it was made from.
        origin: TreeOrigin,
    },
    /// A directory of the machine, used in place: the result of the step is not cached.
    Mount {
        /// Its path, absolute.
        host: PathBuf,
        /// Whether the command may write to it.
        access: MountAccess,
    },
    /// A tree that is not in the store and is not fetched for mere explanations. A step with one cannot be pinned.
    Absent {
        /// What it would be fetched from.
        of: String,
    },
}

/// A ware, and where it can be fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The ware.
    pub ware: WareId,
    /// Warehouses that may have it, in the order in which they are tried.
    pub from: Vec<Warehouse>,
}

/// What a tree of the store was assembled from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TreeOrigin {
    /// Source files, by their paths relative to the [`SourceFiles`].
    Files {
        /// The directory that is the tree's root, or the archive that was unpacked.
        base: RelPath,
        /// The files at it and below it.
        files: Vec<RelPath>,
    },
    /// Something named by its content, such as a ware.
    Named,
    /// An archive among the outputs of a step.
    Archive(StepId),
}

/// One input.
#[derive(Clone, Debug)]
pub enum Input {
    /// A regular file, used in place.
    File(SourceFile),
    /// A regular file, given by its content.
    Bytes {
        /// Its content.
        bytes: Vec<u8>,
        /// Whether it is executable.
        executable: bool,
    },
    /// The output of another step.
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
        /// What it was assembled from.
        origin: TreeOrigin,
    },
    /// An unpacked ware.
    Ware(Fetch),
    /// A file or directory of the machine, used in place: the result of the step is not cached.
    Mount {
        /// Its path, absolute.
        host: PathBuf,
        /// Whether the command may write to it.
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

/// A source file, with its content when it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFile {
    /// What its path is relative to.
    pub base: SourceBase,
    /// The file's path.
    pub below: RelPath,
    /// Its content.
    pub blob: BlobDigest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is executable.
    pub executable: bool,
    /// Its content, if it has just been read.
    pub bytes: Option<Vec<u8>>,
}

/// What the path of a source file is relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceBase {
    /// A directory, relative to the [`SourceFiles`]; it can be edited at any time.
    Dir(RelPath),
    /// A tree of the store.
    Tree(TreeDigest),
}

/// Files below this size in bytes are copied for each command, which costs less than mounting them from the store; unless there
/// are [`MANY`](OwnFiles::MANY).
const LARGE: u64 = 256 << 10;

impl SourceFile {
    /// Returns whether commands see it in the store instead of in a copy of their own.
    pub(crate) fn is_large(&self) -> bool {
        self.size >= LARGE
    }

    /// Returns its path on this machine, absolute.
    pub fn place(&self, sources: &dyn SourceFiles, store: &Store) -> PathBuf {
        match &self.base {
            SourceBase::Dir(dir) => sources.place(dir, &self.below),
            SourceBase::Tree(tree) => store.tree_place(tree).join(self.below.as_str()),
        }
    }
}

/// Finds the files that steps name.
pub trait SourceFiles: Sync {
    /// Returns the absolute path of `below` in the directory `dir`.
    fn place(&self, dir: &RelPath, below: &RelPath) -> PathBuf;
}

/// Files below one directory.
impl SourceFiles for PathBuf {
    fn place(&self, dir: &RelPath, below: &RelPath) -> PathBuf {
        self.join(dir.join(below).as_str())
    }
}

impl Input {
    /// Returns whether both are the same input.
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

    /// Drops the content of a file if it is larger than `room`; returns the number of bytes still held.
    pub(super) fn hold(&mut self, room: usize) -> usize {
        let Input::File(SourceFile { bytes, .. }) = self else { return 0 };
        *bytes = bytes.take().filter(|bytes| bytes.len() <= room);
        bytes.as_ref().map_or(0, Vec::len)
    }
}
