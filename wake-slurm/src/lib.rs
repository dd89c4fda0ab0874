//! Runs programs on Slurm.
//!
//! | room | contents |
//! |---|---|
//! | [`error`] | why a request to Slurm failed |
//! | [`id`] | Slurm's job ids |
//! | [`submission`] | a submission, as arguments and a script |
//! | [`state`] | the state of a job, from `scontrol` |
//! | `programs`, [`ask`] | runs Slurm's programs; requests to them |
//!
//! The rooms are declared in this order, and none depends on a later one. Nothing here knows what is run, or why.

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
