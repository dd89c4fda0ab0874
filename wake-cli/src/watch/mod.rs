//! Watching the files of a workspace for changes: told by the kernel, or seen by looking again and again.

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
    /// The kernel watches no more directories for this user.
    #[error("the inotify limit of this system was reached after {watched} directories below `{}`", root.display())]
    Limit {
        /// The workspace.
        root: PathBuf,
        /// How many it watched.
        watched: usize,
    },
    /// The workspace is gone.
    #[error("`{}` no longer exists", root.display())]
    Gone {
        /// The workspace.
        root: PathBuf,
    },
    /// Something else.
    #[error("cannot watch `{}`: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A directory with everything below it, watched.
pub(crate) enum TreeWatch {
    /// By the kernel.
    Kernel(KernelWatch),
    /// By looking again and again.
    Poll(PollWatch),
}

impl TreeWatch {
    /// Watches `root`; `poll` says how often to look where the kernel is not to tell. Links are not followed.
    pub(crate) fn start(root: &Path, poll: Option<Duration>) -> Result<TreeWatch, WatchError> {
        Ok(match poll {
            Some(poll) => TreeWatch::Poll(PollWatch::start(root, poll)?),
            None => TreeWatch::Kernel(KernelWatch::start(root)?),
        })
    }

    /// How many directories the kernel watches; none if it watches nothing.
    pub(crate) fn dirs(&self) -> Option<usize> {
        match self {
            TreeWatch::Kernel(watch) => Some(watch.dirs()),
            TreeWatch::Poll(_) => None,
        }
    }

    /// Waits until something changes; gives the paths, from the root. None where more changed than can be told.
    ///
    /// Of a directory that came or went only itself may be told.
    pub(crate) fn wait(&mut self) -> Result<Option<Vec<PathBuf>>, WatchError> {
        match self {
            TreeWatch::Kernel(watch) => watch.wait(),
            TreeWatch::Poll(watch) => watch.wait().map(Some),
        }
    }
}

/// Whether nothing is watched in directories of this name, wherever they lie.
fn is_unwatched(name: &OsStr) -> bool {
    name == ".wake" || name == ".git"
}
