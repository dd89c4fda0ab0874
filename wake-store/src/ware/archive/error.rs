use crate::ware::category::Category;
use crate::ware::entry_path::EntryPathError;
use crate::ware::filters::FilterRejection;
use crate::ware::meter::MeterStopped;
use std::io;
use std::path::PathBuf;

/// Why an archive was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// Its bytes cannot be had.
    #[error("the archive cannot be read: {source}")]
    Source {
        /// What reading said.
        source: io::Error,
    },
    /// Its compressed form is broken.
    #[error("the archive's {format} data is corrupt: {source}")]
    Corrupt {
        /// The compression.
        format: &'static str,
        /// What decompressing said.
        source: io::Error,
    },
    /// It ends too early.
    #[error("the archive is truncated after {offset} bytes")]
    Truncated {
        /// Bytes of the uncompressed archive that were there.
        offset: u64,
    },
    /// A header or record makes no sense.
    #[error("the archive's header at byte {offset} is malformed: {problem}")]
    Malformed {
        /// Where the header starts in the uncompressed archive.
        offset: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Something follows its end.
    #[error("something follows the end of the archive at byte {offset}")]
    TrailingGarbage {
        /// Where it starts in the uncompressed archive.
        offset: u64,
    },
    /// An entry's path is refused.
    #[error("path `{path}` in the archive {problem}")]
    Path {
        /// The path, unprintable bytes escaped.
        path: String,
        /// What is wrong with it.
        problem: EntryPathError,
    },
    /// Two entries have one path.
    #[error("`{path}` stands in the archive twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Two entries have paths that some file systems do not tell apart.
    #[error("`{path}` and `{other}` are the same name to some file systems")]
    Alias {
        /// The later path.
        path: String,
        /// The earlier one.
        other: String,
    },
    /// An entry lies below something that is no directory.
    #[error("`{path}` lies below `{ancestor}`, which is not a directory")]
    NotADirectory {
        /// The entry.
        path: String,
        /// What is above it.
        ancestor: String,
    },
    /// A hard link names no earlier file of the archive.
    #[error("hard link `{path}` names `{target}`, which is no earlier file of the archive")]
    Hardlink {
        /// The link.
        path: String,
        /// What it names.
        target: String,
    },
    /// A layer of an image takes away something without a name.
    #[error("whiteout `{path}` takes nothing away")]
    Whiteout {
        /// The entry.
        path: String,
    },
    /// A symbolic link points out of the tree.
    #[error("link `{path}` points out of the tree: `{target}`")]
    LinkLeaves {
        /// The link.
        path: String,
        /// Its text.
        target: String,
    },
    /// This kind of ware cannot hold such a node.
    #[error("`{path}` is {kind}, which this kind of ware cannot hold")]
    Kind {
        /// The entry.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A limit of the policy is exceeded.
    #[error("the archive exceeds the limit of {most} {of}{}", at(path))]
    Limit {
        /// What is counted.
        of: &'static str,
        /// The limit.
        most: u64,
        /// The entry that exceeded it; `.` if it is the archive as a whole.
        path: String,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A filter refuses an entry.
    #[error(transparent)]
    Filter(#[from] FilterRejection),
    /// The tree cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file, link or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tree on disk that is copied cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ExtractError {
    /// What a failed read of the packed bytes means.
    pub(crate) fn unread(source: io::Error) -> Self {
        if MeterStopped::caused(&source) { Self::Cancelled } else { Self::Source { source } }
    }

    /// The published category.
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
