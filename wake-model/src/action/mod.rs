//! One command with every input pinned by digest.

mod field;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use strum::AsRefStr;

pub use self::field::{Field, FieldValue, INPUTS, OWN_FILES};
use crate::digest::{BlobDigest, HostDigest, TreeDigest};
use crate::path::RelPath;
use crate::ware::{PackType, WareId};

/// Everything a command can see, and therefore everything that can change what it yields.
///
/// Paths of inputs and outputs are relative to the root directory `/` that the command sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What is done.
    pub command: Command,
    /// The file system below the inputs.
    pub root: RootFs,
    /// Where the command may write: a directory made for it, or the root `/` itself, which then is the command's
    /// own copy.
    pub work: RelPath,
    /// The directory of all files in [`Action::work`] that somebody wrote, where they are many: none of them stands in
    /// [`Action::inputs`] then.
    pub own_files: Option<TreeDigest>,
    /// What lies where, on top of the root.
    pub inputs: BTreeMap<RelPath, InputNode>,
    /// Directories that belong to the command whatever the inputs say; made where nothing lies.
    pub own_dirs: BTreeSet<RelPath>,
    /// What the command must leave behind.
    pub outputs: Outputs,
    /// Who the command is.
    pub user: User,
    /// What it may reach beyond its file system.
    pub network: Network,
    /// How strictly it is kept to what is declared.
    pub sandbox: SandboxLevel,
    /// The machine's kind, such as `x86_64-linux`.
    pub platform: String,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Runs a program.
    Run(Invocation),
    /// Runs nothing: the outputs are taken from the inputs as they lie.
    Collect {
        /// The directory that the outputs are taken from, absolute.
        cwd: String,
    },
    /// Runs nothing: a container image is put together of the inputs.
    Image {
        /// The directory where the paths of `composition` begin, absolute.
        cwd: String,
        /// What the image is to be, as canonical JSON. Source: `spec/images.md`.
        composition: String,
    },
}

/// One call of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program's path as seen from the working directory.
    pub program: String,
    /// Its arguments, without its own name.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its standard input.
    pub stdin: String,
    /// Its working directory, absolute.
    pub cwd: String,
}

/// The user that a command sees itself as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The host's name.
    pub hostname: String,
    /// What it may do beyond what every user may.
    pub rights: Rights,
}

/// What a command may do beyond what every user may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Rights {
    /// Nothing.
    #[default]
    Ordinary,
    /// Change owners, users and roots, and pass over modes, among users that exist inside alone.
    Owners,
    /// Nothing, among users that exist inside alone: files belong to whom their image says.
    Users,
}

/// What a command may reach beyond its file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Network {
    /// A loopback device of its own.
    None,
    /// What the host reaches, with the host's name service and certificates.
    Host,
}

/// The file system that lies under the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootFs {
    /// The machine's own system directories, read only.
    Host(HostDigest),
    /// Nothing.
    Empty,
    /// A directory tree.
    Tree(TreeDigest),
    /// An unpacked ware, by the `tree` id of everything that was received: owners, modes, times and links included.
    Ware(WareId),
    /// A directory of the machine as it lies, as [`InputNode::Mount`].
    Mount {
        /// Where it lies on the machine.
        host: String,
        /// What the command may do with it.
        access: MountAccess,
    },
}

/// What lies at one path of an action's inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputNode {
    /// A regular file.
    File {
        /// The bytes.
        blob: BlobDigest,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, by its text.
    Link {
        /// Where it points.
        target: String,
    },
    /// A whole directory.
    Tree(TreeDigest),
    /// A directory with nothing in it.
    Dir,
    /// An unpacked ware, named as in [`RootFs::Ware`].
    Ware(WareId),
    /// A file or directory of the machine as it lies: the action then says less than the command sees, and what comes
    /// of it is not remembered.
    Mount {
        /// Where it lies on the machine.
        host: String,
        /// What the command may do with it.
        access: MountAccess,
    },
}

/// What a command may do with a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MountAccess {
    /// Read it.
    ReadOnly,
    /// Read it, and write to a private layer on top that is dropped afterwards.
    Layered,
    /// Write to it.
    ReadWrite,
}

/// What a command must leave behind, and in which form it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outputs {
    /// The paths become one tree of content, executable bits and links, if the command succeeds.
    Tree(Vec<OutputDecl>),
    /// Each path becomes a packed ware, in which owners, modes, times and links of any kind survive, however the command
    /// ends. A path that does not exist gives the ware of nothing.
    Wares(Vec<WareDecl>),
    /// What the command changed in the root `/`, which is its own copy, becomes one file: a layer of a container image, if
    /// the command succeeds. The path is the file's among what is kept.
    Layer(RelPath),
}

impl Outputs {
    /// The paths, in the order of the declarations.
    pub fn paths(&self) -> Vec<&RelPath> {
        match self {
            Outputs::Tree(outputs) => outputs.iter().map(|output| &output.path).collect(),
            Outputs::Wares(outputs) => outputs.iter().map(|output| &output.path).collect(),
            Outputs::Layer(path) => vec![path],
        }
    }
}

/// A path that is kept as a packed ware.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WareDecl {
    /// Where.
    pub path: RelPath,
    /// How it is packed.
    pub packtype: PackType,
    /// What happens to owners, modes and times on the way, as canonical text.
    pub filters: String,
}

/// A path that a command must create.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputDecl {
    /// Where.
    pub path: RelPath,
    /// What must lie there.
    pub kind: OutputKind,
}

/// What a declared output must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, AsRefStr)]
#[strum(serialize_all = "lowercase")]
pub enum OutputKind {
    /// A file or a directory.
    Any,
    /// A directory, written with a trailing `/`.
    Dir,
}

/// How strictly a command is kept to what is declared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsRefStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SandboxLevel {
    /// By the kernel: it sees nothing else.
    Strict,
    /// By convention only; asked for by name and never shared.
    Weak,
}
