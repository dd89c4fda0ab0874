//! Why Slurm did not do what it was asked for.

use std::io;

/// Why Slurm did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// One of its programs is not on the search path.
    #[error("`{0}` was not found")]
    NoProgram(&'static str),
    /// One of its programs could not be run.
    #[error("`{program}`: {source}")]
    Program {
        /// The program.
        program: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// Its controller does not answer.
    #[error("Slurm is not responding: {said}")]
    Away {
        /// What was said of that.
        said: String,
    },
    /// It knows of no job with that id: there was none, or it ended long ago.
    #[error("Slurm has no job `{0}`")]
    Unknown(String),
    /// It refused.
    #[error("Slurm refused the request: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// It said something that nobody understands.
    #[error("unexpected output from `{program}`: `{said}`")]
    Strange {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
}
