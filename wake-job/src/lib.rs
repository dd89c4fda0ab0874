//! Runs Tyger's codespecs on this machine.
//!
//! | room | what it has |
//! |---|---|
//! | [`moment`] | times as text |
//! | [`codespecs`] | codespecs as a store keeps them |
//! | `flow`, `pipes`, `outlet` | streams to and from a command |
//! | [`task`] | a job as a step |
//! | `stream_list`, `engine` | performing it with pipes |
//! | [`record`] | what is known of jobs |
//! | [`prepare`], [`perform`] | from a document to a task, from a task to its end |
//!
//! They stand in the order in which they are declared, and none knows a later one.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once, at the end of a job, and read by a person"
)]

pub mod moment;
pub mod codespecs;
mod flow;
mod pipes;
mod outlet;
pub mod task;
mod stream_list;
mod engine;
pub mod record;
pub mod prepare;
pub mod perform;
