use std::io;
use std::path::{Path, PathBuf};

use wake_store::ware::PackError;

/// Why a job cannot be written down as a formula.
#[derive(Debug, thiserror::Error)]
pub enum FromJobError {
    /// It reaches the network.
    #[error("its command reaches the network, which no formula of repeatr's can ask for")]
    Network,
    /// What it leaves is what it changes in its root.
    #[error("what it leaves is a layer of an image, for which no formula can ask")]
    Layer,
    /// It reads a standard input and has nothing that could give it one.
    #[error(
        "its command reads its `config` from standard input, which a formula gives only through `/bin/sh`, and its root file system has none"
    )]
    NoShell,
    /// An input lies elsewhere than in the working directory.
    #[error("input `{0}` lies outside the working directory")]
    Outside(String),
    /// A path cannot stand in a formula.
    #[error("`{0}` is not a path of a formula")]
    Path(String),
    /// A file does not hold any more what it held when it was looked at.
    #[error("`{}` changed while it was packed", .0.display())]
    Changed(PathBuf),
    /// The disk failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An input cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl FromJobError {
    /// For `map_err` on what happens at `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> FromJobError {
        |source| FromJobError::Io { path: path.to_owned(), source }
    }
}
