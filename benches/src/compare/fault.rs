//! The errors of a comparison.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// An operation of the system failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The path or program concerned.
        path: PathBuf,
        source: io::Error,
    },
    /// A tool to compare with is not on this machine.
    #[error("`{program}` is not installed: run `apt-get install {package}`")]
    Missing {
        /// The tool's program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A measured tool failed.
    #[error("`{tool}` failed: {status}; the end of its output:\n{tail}")]
    Failed {
        /// The tool's program.
        tool: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// A tool did not do the work that the scenario is meant to measure, so its time means nothing.
    #[error("`{tool}` ran {found} actions for `{scenario}`, not {expected}")]
    Work {
        /// The tool.
        tool: &'static str,
        /// The scenario.
        scenario: &'static str,
        /// The number of actions according to the tool's output.
        found: usize,
        /// The number of actions according to the graph.
        expected: usize,
    },
    /// Two tools made different bytes from the same sources.
    #[error("`{}` and `{}` differ", left.display(), right.display())]
    Differ {
        /// One result.
        left: PathBuf,
        /// The other.
        right: PathBuf,
    },
    /// A tool's output did not state what it did.
    #[error("`{tool}` does not report how many actions it ran; the end of its output:\n{tail}")]
    Silent {
        /// The tool.
        tool: &'static str,
        /// Its last lines.
        tail: String,
    },
}

/// Gives an I/O error its path.
pub(crate) trait At<T> {
    /// Adds the path to the error.
    fn at(self, path: &Path) -> Result<T, Fault>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Fault> {
        self.map_err(|source| Fault::Io { path: path.to_owned(), source })
    }
}
