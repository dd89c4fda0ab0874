//! Why a run cannot be said in objects.

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
