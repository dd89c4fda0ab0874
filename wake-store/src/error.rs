//! I/O errors of the store.

use std::io;
use std::path::{Path, PathBuf};

/// The store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system, or the user's quota on it, is full.
    #[error("`{path}`: no space left")]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// Any other file system error.
    #[error("`{path}`: {source}")]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl StoreError {
    pub(crate) fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull { path }
            }
            _ => StoreError::Io { path, source },
        }
    }

    /// Returns whether the requested file does not exist.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Adds the path to the error of a failed system call.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, StoreError>;

    /// As [`At::at`], for a path relative to a directory, which is joined only on failure.
    fn below(self, dir: &Path, rest: &str) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::new(path, source.into()))
    }

    fn below(self, dir: &Path, rest: &str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::new(&dir.join(rest), source.into()))
    }
}

/// Turns "does not exist" into none.
pub(crate) fn optional<T>(result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}
