//! Why a run cannot be said in objects, and why a cluster did not do what it was asked for.

use std::io;

use wake_codespec::name::BufferName;

/// Why a run cannot be said in objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It has buffers, and nobody says which image has wake.
    #[error("nobody says which image has wake, which moves what goes through the pipes of buffers")]
    NoImage,
    /// It has buffers, and nobody says where the store lies.
    #[error("nobody says on which volume the store lies, where buffers are")]
    NoClaim,
    /// One of its buffers is not named.
    #[error("nobody has said which buffer `{0}` is")]
    NoBuffer(BufferName),
    /// Several replicas would write the same buffers.
    #[error("each of {0} replicas would write `{1}`, and a buffer is written once")]
    WrittenTwice(u32, BufferName),
    /// It has sockets.
    #[error("jobs with sockets cannot be said in objects yet")]
    Sockets,
}

/// Why a cluster did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// The program that reaches it is not there.
    #[error("`{0}` was not found")]
    NoProgram(String),
    /// That program could not be run.
    #[error("`{program}`: {source}")]
    Program {
        /// The program.
        program: String,
        /// What went wrong.
        source: io::Error,
    },
    /// It does not answer.
    #[error("Kubernetes is not responding: {said}")]
    Away {
        /// What was said of that.
        said: String,
    },
    /// It refused, or nobody knows which cluster is meant.
    #[error("Kubernetes refused the request: {said}")]
    Refused {
        /// What was said of that.
        said: String,
    },
    /// It said something that nobody understands.
    #[error("unexpected output from `{program}`: `{said}`")]
    Strange {
        /// The program.
        program: String,
        /// What it said.
        said: String,
    },
}
