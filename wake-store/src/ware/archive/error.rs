use crate::ware::category::Category;
use crate::ware::entry_path::EntryPathError;
use crate::ware::filters::FilterRejection;
use crate::ware::meter::MeterStopped;
use std::io;
use std::path::PathBuf;

/// Why an archive was refused.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Its bytes cannot be read.
    #[error("cannot read the archive: {source}")]
    Source {
        /// The error from reading.
        source: io::Error,
    },
    /// Its compressed data is corrupt.
    #[error("the archive's {format} data is corrupt: {source}")]
    Corrupt {
        /// The compression format.
        format: &'static str,
        /// The error from decompressing.
        source: io::Error,
    },
    /// It ends early.
    #[error("the archive is truncated after {offset} bytes")]
    Truncated {
        /// The length of the uncompressed archive.
        offset: u64,
    },
    /// A header or record is invalid.
    #[error("the archive's header at byte {offset} is malformed: {problem}")]
    Malformed {
        /// The offset of the header in the uncompressed archive.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Data follows its end.
    #[error("data follows the end of the archive at byte {offset}")]
    TrailingGarbage {
        /// The offset of that data in the uncompressed archive.
        offset: u64,
    },
    /// An entry's path is refused.
    #[error("path `{path}` in the archive {problem}")]
    Path {
        /// The path, with unprintable bytes escaped.
        path: String,
        /// What is wrong with it.
        problem: EntryPathError,
    },
    /// Two entries have the same path.
    #[error("`{path}` appears twice in the archive")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Two entries have paths that some file systems cannot distinguish.
    #[error("`{path}` and `{other}` are the same name on some file systems")]
    Alias {
        /// The later path.
        path: String,
        /// The earlier path.
        other: String,
    },
    /// An entry is below something that is not a directory.
    #[error("`{path}` is below `{ancestor}`, which is not a directory")]
    NotADirectory {
        /// The entry.
        path: String,
        /// What is above it.
        ancestor: String,
    },
    /// A hard link names no earlier file of the archive.
    #[error("hard link `{path}` names `{target}`, which is not an earlier file in the archive")]
    Hardlink {
        /// The link.
        path: String,
        /// What it names.
        target: String,
    },
    /// A whiteout of an image layer names nothing.
    #[error("whiteout `{path}` names nothing to remove")]
    Whiteout {
        /// The entry.
        path: String,
    },
    /// A symbolic link points outside the tree.
    #[error("link `{path}` points outside the tree: `{target}`")]
    LinkLeaves {
        /// The link.
        path: String,
        /// Its target.
        target: String,
    },
    /// This kind of ware cannot contain such a node.
    #[error("`{path}` is {kind}, which this kind of ware cannot hold")]
    Kind {
        /// The entry.
        path: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A limit of the policy is exceeded.
    #[error("the archive exceeds the limit of {most} {of}{}", at(path))]
    Limit {
        /// What is limited.
        of: &'static str,
        /// The limit.
        most: u64,
        /// The entry that exceeded it; `.` for the archive as a whole.
        path: String,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
    /// A filter refuses an entry.
    #[error(transparent)]
    Filter(#[from] FilterRejection),
    /// The tree cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file, link or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A tree on disk that is being copied cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl ExtractError {
    /// Converts a failure to read the packed bytes.
    pub(crate) fn unread(source: io::Error) -> Self {
        if MeterStopped::caused(&source) { Self::Cancelled } else { Self::Source { source } }
    }

    /// Returns the published error category.
    pub fn category(&self) -> Category {
        match self {
            ExtractError::Source { .. } => Category::WarehouseUnavailable,
            ExtractError::Write { .. } | ExtractError::Read { .. } => Category::InoperablePath,
            ExtractError::Filter(_) => Category::FilterRejection,
            ExtractError::Cancelled => Category::Cancelled,
            _ => Category::WareCorrupt,
        }
    }
}

fn at(path: &str) -> String {
    if path == "." { String::new() } else { format!(" at `{path}`") }
}
