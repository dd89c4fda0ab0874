//! Has Slurm run programs.
//!
//! | room | what it has |
//! |---|---|
//! | [`error`] | what may go wrong |
//! | [`id`] | what Slurm calls a job |
//! | [`submission`] | what it is asked for, as arguments and a script |
//! | [`state`] | what it says of a job |
//! | `programs`, [`ask`] | its programs, and what they are asked |
//!
//! They stand in the order in which they are declared, and none knows a later one. Nothing here knows what is run, or why.

pub mod error;
pub mod id;
pub mod submission;
pub mod state;
mod programs;
pub mod ask;

pub use error::SlurmError;
pub use id::SlurmId;

pub use state::{SlurmEnd, SlurmJob, SlurmState};
pub use submission::{Needs, Site, Submission, Word};
