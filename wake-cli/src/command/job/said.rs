//! What an engine elsewhere says of a job.

use wake_job::record::Status;

/// What an engine says of a job that no process says anything of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has not ended, and what keeps it.
    Goes(Option<String>),
    /// How it ended, if its process has not said so.
    Ended(Status, String),
    /// Nothing, because it does not answer: the message says so.
    Silent(String),
}
