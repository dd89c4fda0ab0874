//! Watching the files of a workspace for changes, through the kernel or by polling.

mod kernel;
mod poll;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::kernel::KernelWatch;
use self::poll::PollWatch;

/// Why a workspace cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// The kernel's limit on watches for this user is reached.
    #[error("the inotify limit of this system was reached after {watched} directories below `{}`", root.display())]
    Limit {
        /// The workspace.
        root: PathBuf,
        /// The number of watched directories.
        watched: usize,
    },
    /// The workspace is gone.
    #[error("`{}` no longer exists", root.display())]
    Gone {
        /// The workspace.
        root: PathBuf,
    },
    /// Another error.
    #[error("cannot watch `{}`: {source}", path.display())]
    Io {
        /// What could not be watched.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

/// A watched directory tree.
pub(crate) enum TreeWatch {
    /// Through the kernel.
    Kernel(KernelWatch),
    /// By polling.
    Poll(PollWatch),
}

impl TreeWatch {
    /// Watches `root`, at the interval `poll` or else through the kernel. Links are not followed.
    pub(crate) fn start(root: &Path, poll: Option<Duration>) -> Result<TreeWatch, WatchError> {
        Ok(match poll {
            Some(poll) => TreeWatch::Poll(PollWatch::start(root, poll)?),
            None => TreeWatch::Kernel(KernelWatch::start(root)?),
        })
    }

    /// Returns the number of directories that the kernel watches; `None` when polling.
    pub(crate) fn dirs(&self) -> Option<usize> {
        match self {
            TreeWatch::Kernel(watch) => Some(watch.dirs()),
            TreeWatch::Poll(_) => None,
        }
    }

    /// Waits for a change; returns the paths, relative to the root. `None` if notifications were dropped.
    ///
    /// For a directory that appeared or disappeared, possibly only its own path is returned.
    pub(crate) fn wait(&mut self) -> Result<Option<Vec<PathBuf>>, WatchError> {
        match self {
            TreeWatch::Kernel(watch) => watch.wait(),
            TreeWatch::Poll(watch) => watch.wait().map(Some),
        }
    }
}

/// Whether directories of this name are never watched.
fn is_unwatched(name: &OsStr) -> bool {
    name == ".wake" || name == ".git"
}
