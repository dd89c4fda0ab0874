//! Why a run cannot be said in objects, and why a cluster did not do what it was asked for.

use std::io;

use wake_codespec::name::BufferName;

/// Why a run cannot be said in objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It has buffers, and nobody says which image has wake.
    #[error("a job with buffers needs an image that contains `wake`, and none is configured")]
    NoImage,
    /// It has buffers, and nobody says where the store lies.
    #[error("a job with buffers needs the volume claim of the store, and none is configured")]
    NoClaim,
    /// One of its buffers is not named.
    #[error("no buffer is given for `{0}`")]
    NoBuffer(BufferName),
    /// Several replicas would write the same buffers.
    #[error("all {0} replicas would write `{1}`, but a buffer is written once")]
    WrittenTwice(u32, BufferName),
    /// It has sockets.
    #[error("jobs with sockets are not supported on Kubernetes yet")]
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
