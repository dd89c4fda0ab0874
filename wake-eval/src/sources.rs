//! The files of one package, as an evaluation may see them.

use serde::{Deserialize, Serialize};
use wake_model::RelPath;

/// Reads the files of one package. Implementations keep inside the package: a path that a link leads out of it is
/// an error, never the bytes found there.
pub trait Sources {
    /// The bytes of the file at `path`; none if nothing is there.
    fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>, SourceError>;

    /// The entries of the directory at `dir`, in any order; none if nothing is there.
    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError>;

    /// How a person calls what lies at `path`.
    fn shown(&self, path: &RelPath) -> String {
        path.to_string()
    }
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// The name, without any `/`.
    pub name: String,
    /// What it names.
    pub kind: EntryKind,
}

/// What a directory entry is, without following links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A regular file. Whether it may be executed no function sees.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// Why a path could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {reason}")]
pub struct SourceError {
    /// The path, relative to the package.
    pub path: RelPath,
    /// A fragment that follows the path: `is a directory`, `is a link that leaves the package`.
    pub reason: String,
}
