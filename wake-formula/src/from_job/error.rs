use std::io;
use std::path::{Path, PathBuf};

use wake_store::ware::PackError;

/// Why a job cannot be written as a formula.
#[derive(Debug, thiserror::Error)]
pub enum FromJobError {
    /// It uses the network.
    #[error("its command uses the network, which a repeatr formula cannot request")]
    Network,
    /// Its output is the changes to its root.
    #[error("its output is an image layer, which a formula cannot request")]
    Layer,
    /// It reads standard input, and its root has no shell to provide that.
    #[error(
        "its command reads its `config` from standard input, which a formula can provide only through `/bin/sh`, but its root file system has none"
    )]
    NoShell,
    /// An input is outside the working directory.
    #[error("input `{0}` is outside the working directory")]
    Outside(String),
    /// A path is not possible in a formula.
    #[error("`{0}` is not a path of a formula")]
    Path(String),
    /// A file has changed since it was examined.
    #[error("`{}` changed while it was packed", .0.display())]
    Changed(PathBuf),
    /// The disk failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An input cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl FromJobError {
    /// Returns a conversion for `map_err` for errors at `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> FromJobError {
        |source| FromJobError::Io { path: path.to_owned(), source }
    }
}
