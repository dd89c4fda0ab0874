//! Why a request to Slurm failed.

use std::io;

/// Why a request to Slurm failed.
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
        /// The cause.
        source: io::Error,
    },
    /// Its controller cannot be reached.
    #[error("Slurm is not responding: {said}")]
    Away {
        /// The program's message.
        said: String,
    },
    /// It knows no job with that id: there was none, or it ended long ago.
    #[error("Slurm has no job `{0}`")]
    Unknown(String),
    /// It refused the request.
    #[error("Slurm refused the request: {said}")]
    Refused {
        /// The program's message.
        said: String,
    },
    /// The program's output could not be parsed.
    #[error("unexpected output from `{program}`: `{said}`")]
    Strange {
        /// The program.
        program: &'static str,
        /// Its output.
        said: String,
    },
}
