//! What can go wrong with a comparison.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The machine would not.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        source: io::Error,
    },
    /// A tool that was to be measured ended with an error.
    #[error("`{tool}` failed: {status}; the end of what it wrote:\n{tail}")]
    Failed {
        /// The tool's program.
        tool: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// A tool did other work than the scenario is made for, so its time means nothing.
    #[error("`{tool}` ran {found} actions for `{scenario}`, not {expected}")]
    Work {
        /// The tool.
        tool: &'static str,
        /// The scenario.
        scenario: &'static str,
        /// As its own output says.
        found: usize,
        /// As the graph says.
        expected: usize,
    },
    /// Two tools made different bytes of the same sources.
    #[error("`{}` and `{}` differ", left.display(), right.display())]
    Differ {
        /// One result.
        left: PathBuf,
        /// The other.
        right: PathBuf,
    },
    /// A tool's output did not say what it did.
    #[error("`{tool}` does not say how many actions it ran; the end of what it wrote:\n{tail}")]
    Silent {
        /// The tool.
        tool: &'static str,
        /// Its last lines.
        tail: String,
    },
}

/// Gives an I/O error its path.
pub(crate) trait At<T> {
    /// The same result, knowing what it was about.
    fn at(self, path: &Path) -> Result<T, Fault>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Fault> {
        self.map_err(|source| Fault::Io { path: path.to_owned(), source })
    }
}
