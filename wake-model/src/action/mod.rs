//! Actions: one command with every input named by digest.

mod field;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use strum::AsRefStr;

pub use self::field::{Field, FieldValue, INPUTS, OWN_FILES};
use crate::digest::{BlobDigest, HostDigest, TreeDigest};
use crate::path::RelPath;
use crate::ware::{PackType, WareId};

/// Everything a command can see, and therefore everything that can affect its result.
///
/// Paths of inputs and outputs are relative to the command's root directory `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What to do.
    pub command: Command,
    /// The file system below the inputs.
    pub root: RootFs,
    /// The directory the command may write to: one made for it, or the root `/`, which is then the command's own
    /// copy.
    pub work: RelPath,
    /// The directory of all hand-written files in [`Action::work`], if there are many; [`Action::inputs`] then
    /// contains none of them.
    pub own_files: Option<TreeDigest>,
    /// The inputs by path, on top of the root.
    pub inputs: BTreeMap<RelPath, InputNode>,
    /// Directories that the command owns whatever the inputs contain; created if missing.
    pub own_dirs: BTreeSet<RelPath>,
    /// What the command must create.
    pub outputs: Outputs,
    /// The user that the command runs as.
    pub user: User,
    /// The network access of the command.
    pub network: Network,
    /// How strictly the declared inputs are enforced.
    pub sandbox: SandboxLevel,
    /// The platform, such as `x86_64-linux`.
    pub platform: String,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Runs a program.
    Run(Invocation),
    /// Runs nothing: the outputs are taken from the inputs as they are.
    Collect {
        /// The directory that the outputs are taken from, as an absolute path.
        cwd: String,
    },
    /// Runs nothing: wake assembles a container image from the inputs.
    Image {
        /// The directory that the paths in `composition` are relative to, as an absolute path.
        cwd: String,
        /// The description of the image, as canonical JSON. Source: `spec/images.md`.
        composition: String,
    },
}

/// One invocation of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The path of the program, relative to the working directory.
    pub program: String,
    /// The arguments, without the program's name.
    pub args: Vec<String>,
    /// The complete environment.
    pub env: BTreeMap<String, String>,
    /// The standard input.
    pub stdin: String,
    /// The working directory, as an absolute path.
    pub cwd: String,
}

/// The user that a command sees itself run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The host name.
    pub hostname: String,
    /// The additional privileges of the command.
    pub rights: Rights,
}

/// The privileges a command has in addition to those of every user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Rights {
    /// Nothing.
    #[default]
    Ordinary,
    /// Changing owners, users and roots, and bypassing permission bits, among users that exist only inside the
    /// sandbox.
    Owners,
    /// None, among users that exist only inside the sandbox: files belong to the owners that their image gives them.
    Users,
}

/// The network access of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, AsRefStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Network {
    /// A loopback device of its own only.
    None,
    /// Whatever the host can reach, with the host's name resolution and certificates.
    Host,
}

/// The file system below the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootFs {
    /// The system directories of the machine, read-only.
    Host(HostDigest),
    /// Nothing.
    Empty,
    /// A directory tree.
    Tree(TreeDigest),
    /// An unpacked ware, named by the `tree` id of its complete content: owners, modes, times and links included.
    Ware(WareId),
    /// A directory of the machine, used in place as with [`InputNode::Mount`].
    Mount {
        /// The path on the machine.
        host: String,
        /// The access that the command has.
        access: MountAccess,
    },
}

/// What is at one input path of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputNode {
    /// A regular file.
    File {
        /// The content.
        blob: BlobDigest,
        /// Whether it is executable.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// The link target.
        target: String,
    },
    /// A whole directory.
    Tree(TreeDigest),
    /// An empty directory.
    Dir,
    /// An unpacked ware, named as in [`RootFs::Ware`].
    Ware(WareId),
    /// A file or directory of the machine, used in place. The action then does not cover everything the command sees,
    /// so its result is not cached.
    Mount {
        /// The path on the machine.
        host: String,
        /// The access that the command has.
        access: MountAccess,
    },
}

/// The access of a command to a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MountAccess {
    /// Read only.
    ReadOnly,
    /// Read, and write to a private layer on top that is discarded afterwards.
    Layered,
    /// Read and write.
    ReadWrite,
}

/// What a command must create, and the form in which it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outputs {
    /// If the command succeeds, the paths become one tree of content, executable bits and links.
    Tree(Vec<OutputDecl>),
    /// However the command ends, each path becomes a packed ware, which preserves owners, modes, times and all kinds
    /// of links. A path that does not exist gives the ware of nothing.
    Wares(Vec<WareDecl>),
    /// If the command succeeds, its changes to the root `/`, which is its own copy, become one file, a layer of a
    /// container image. The path names that file in the result.
    Layer(RelPath),
}

impl Outputs {
    /// Returns the paths, in the order of the declarations.
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
    /// The path.
    pub path: RelPath,
    /// The pack type.
    pub packtype: PackType,
    /// What happens to owners, modes and times when packing, as canonical text.
    pub filters: String,
}

/// A path that a command must create.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputDecl {
    /// The path.
    pub path: RelPath,
    /// The kind of file that must be there.
    pub kind: OutputKind,
}

/// The kind of file that a declared output must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, AsRefStr)]
#[strum(serialize_all = "lowercase")]
pub enum OutputKind {
    /// A file or a directory.
    Any,
    /// A directory, written with a trailing `/`.
    Dir,
}

/// How strictly a command is limited to its declared inputs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsRefStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SandboxLevel {
    /// By the kernel: the command sees nothing else.
    Strict,
    /// By convention only. Must be requested explicitly, and the result is never shared.
    Weak,
}
