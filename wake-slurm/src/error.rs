//! Why Slurm did not do what it was asked for.

use std::io;

/// Why Slurm did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// One of its programs is not on the search path.
    #[error("`{0}` is not there")]
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
    #[error("Slurm does not answer: {said}")]
    Away {
        /// What was said of that.
        said: String,
    },
    /// It knows of no job with that id: there was none, or it ended long ago.
    #[error("Slurm knows no job `{0}`")]
    Unknown(String),
    /// It refused.
    #[error("Slurm refused it: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// It said something that nobody understands.
    #[error("`{program}` answered `{said}`, which says nothing of a job")]
    Strange {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
}
