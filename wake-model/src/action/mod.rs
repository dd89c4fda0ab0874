//! One command with every input pinned by digest.

mod field;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::field::{Field, FieldValue};
use crate::digest::{BlobDigest, HostDigest, TreeDigest};
use crate::path::RelPath;

/// Everything a command can see, and therefore everything that can change what it yields.
///
/// Paths of inputs and outputs are relative to the root directory `/` that the command sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What is done.
    pub command: Command,
    /// The file system below the inputs.
    pub root: RootFs,
    /// What lies where, on top of the root.
    pub inputs: BTreeMap<RelPath, InputNode>,
    /// What the command must leave behind.
    pub outputs: Vec<OutputDecl>,
    /// Who the command is.
    pub user: User,
    /// Whether it may reach the network.
    pub network: bool,
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
}

/// The file system that lies under the inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootFs {
    /// The machine's own system directories, read only.
    Host(HostDigest),
    /// Nothing.
    Empty,
    /// A directory tree.
    Tree(TreeDigest),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OutputKind {
    /// A file or a directory.
    Any,
    /// A directory, written with a trailing `/`.
    Dir,
}

/// How strictly a command is kept to what is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxLevel {
    /// By the kernel: it sees nothing else.
    Strict,
    /// By convention only; asked for by name and never shared.
    Weak,
}

impl SandboxLevel {
    /// The name that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            SandboxLevel::Strict => "strict",
            SandboxLevel::Weak => "weak",
        }
    }
}
