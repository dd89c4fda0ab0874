//! Unexpected kinds of entries that were not opened.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::FileType;

/// An entry that was not opened because it is of the wrong kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {obstacle}", path.display())]
pub struct Refusal {
    /// The path, relative to the directory held open.
    pub path: PathBuf,
    /// What is there.
    pub obstacle: Obstacle,
}

/// What is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A link, wherever it leads.
    Link,
    /// A file where a directory is expected.
    NotADirectory,
    /// A directory where a file is expected.
    Directory,
    /// A pipe, socket or device.
    Special,
    /// A file larger than this.
    Large {
        /// The maximum size in bytes.
        limit: u64,
    },
}

impl Obstacle {
    pub(super) fn of(kind: FileType, wants_dir: bool) -> Obstacle {
        match kind {
            FileType::Symlink => Obstacle::Link,
            FileType::Directory => Obstacle::Directory,
            FileType::RegularFile if wants_dir => Obstacle::NotADirectory,
            _ => Obstacle::Special,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Link => f.write_str("is a symbolic link, which is not followed"),
            Obstacle::NotADirectory => f.write_str("is a file, not a directory"),
            Obstacle::Directory => f.write_str("is a directory, not a file"),
            Obstacle::Special => f.write_str("is a pipe, socket or device, not a file"),
            Obstacle::Large { limit } => write!(f, "is larger than {} MiB", limit >> 20),
        }
    }
}

/// Everything that was refused below one directory.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<PathBuf, Refusal>>);

impl Refusals {
    pub(super) fn note(&self, refusal: Refusal) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(refusal.path.clone()).or_insert(refusal);
    }

    pub(super) fn all(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
