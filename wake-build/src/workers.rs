//! How worker processes are started.

use std::path::PathBuf;

/// How worker processes are started.
#[derive(Clone, Debug)]
pub struct Workers {
    /// The program, usually the running one itself.
    pub program: PathBuf,
    /// The argument that makes it call [`crate::evaluation_worker`].
    pub evaluate: String,
    /// The argument that makes it call [`wake_exec::serve`].
    pub sandbox: String,
}
