//! Why a run has no objects, and why a request to a cluster failed.

use std::io;

use wake_codespec::name::BufferName;

/// Why a run cannot be turned into objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It has buffers, and no image with wake is configured.
    #[error("a job with buffers needs an image that contains `wake`, and none is configured")]
    NoImage,
    /// It has buffers, and no volume claim of the store is configured.
    #[error("a job with buffers needs the volume claim of the store, and none is configured")]
    NoClaim,
    /// One of its inputs or outputs has no buffer.
    #[error("no buffer is given for `{0}`")]
    NoBuffer(BufferName),
    /// Several replicas would write the same buffer.
    #[error("all {0} replicas would write `{1}`, but a buffer is written once")]
    WrittenTwice(u32, BufferName),
    /// It has sockets.
    #[error("jobs with sockets are not supported on Kubernetes yet")]
    Sockets,
}

/// Why a request to a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// `kubectl` was not found.
    #[error("`{0}` was not found")]
    NoProgram(String),
    /// `kubectl` could not be run.
    #[error("`{program}`: {source}")]
    Program {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The API server cannot be reached, or cannot answer at the moment.
    #[error("Kubernetes is not responding: {said}")]
    Away {
        /// `kubectl`'s message.
        said: String,
    },
    /// The API server refused the request, or `kubectl` does not know which cluster is meant.
    #[error("Kubernetes refused the request: {said}")]
    Refused {
        /// `kubectl`'s message.
        said: String,
    },
    /// `kubectl`'s output could not be parsed.
    #[error("unexpected output from `{program}`: `{said}`")]
    Strange {
        /// The program.
        program: String,
        /// Its output.
        said: String,
    },
}
