//! Runs Tyger's codespecs on this machine.
//!
//! | room | what it has |
//! |---|---|
//! | [`moment`] | times as text |
//! | [`codespecs`] | codespecs as a store keeps them |
//! | [`record`] | what is known of jobs |
//! | `flow`, `pipes`, `outlet`, `output_claim`, `shared_outlet`, `sockets`, `relay` | streams to and from commands, and between them |
//! | `log_lines`, `graphics` | what several write in one log; graphics processors |
//! | [`container`], [`options`], [`task`] | a job as a step |
//! | `members`, `crew`, `tally` | what runs together: replicas and workers, and what comes of them |
//! | `stream_list`, `inflow`, `outflow` | what goes into it, and what comes out of it |
//! | `stage`, `engine`, [`served`] | performing it with pipes and sockets; pipes for a command that somebody else runs |
//! | [`order`], [`sent`], [`replica`], [`replicas`] | what is to be done, and by whom elsewhere; replicas that run apart |
//! | [`log_reader`] | what commands have written |
//! | [`image_root`], `possible`, [`prepare`] | from a document to a task |
//! | `lookup`, [`remembered`], [`perform`] | from a task to its end |
//!
//! They stand in the order in which they are declared, and none knows a later one.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once, at the end of a job, and read by a person"
)]

pub mod moment;
pub mod codespecs;
pub mod record;
mod flow;
mod pipes;
mod outlet;
mod output_claim;
mod shared_outlet;
mod sockets;
mod relay;
mod log_lines;
pub mod graphics;
pub mod container;
pub mod options;
pub mod task;
mod members;
mod crew;
mod tally;
mod stream_list;
mod inflow;
mod outflow;
mod stage;
mod engine;
pub mod served;
pub mod order;
pub mod sent;
pub mod replica;
pub mod replicas;
#[cfg(test)]
mod replicas_test;
pub mod log_reader;
pub mod image_root;
mod possible;
pub mod prepare;
mod lookup;
pub mod remembered;
pub mod perform;
