//! The files of one package, as evaluations see them.

use serde::{Deserialize, Serialize};
use wake_model::RelPath;

/// Reads the files of one package. Implementations must stay inside the package: a path that leaves it through a link
/// is an error.
pub trait Sources {
    /// Returns the content of the file at `path`; `None` if there is nothing.
    fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>, SourceError>;

    /// Returns the entries of the directory at `dir`, in any order; `None` if there is nothing.
    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError>;

    /// Returns the name of `path` for people.
    fn shown(&self, path: &RelPath) -> String {
        path.to_string()
    }
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// The name, without `/`.
    pub name: String,
    /// The kind.
    pub kind: EntryKind,
}

/// The kind of a directory entry, without following links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A regular file. Functions cannot see whether it is executable.
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
