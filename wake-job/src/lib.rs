//! Runs Tyger's codespecs on this machine.
//!
//! | room | contents |
//! |---|---|
//! | [`moment`] | times as text |
//! | [`codespecs`] | the codespecs of a store |
//! | [`record`], [`jobs`], [`job_log`] | the record of a job; the jobs of a store; their logs |
//! | `flow`, `pipes`, `outlet`, `output_claim`, `shared_outlet`, `sockets`, `relay` | streams to and from commands, and between them |
//! | `log_lines`, `graphics` | one log with several writers; GPUs |
//! | [`container`], [`options`], [`task`] | a job as a step |
//! | `members`, `crew`, `tally` | processes that run together, replicas and workers, and their combined outcome |
//! | `stream_list`, `inflow`, `outflow` | inputs and outputs |
//! | `stage`, `engine`, [`served`] | performing a job with pipes and sockets; pipes for a command that is run by others |
//! | [`order`], [`sent`], [`replica`], [`replicas`] | jobs for another process or engine; replicas that run independently |
//! | [`log_reader`] | the logs of jobs |
//! | [`image_root`], `possible`, [`resolve`], [`prepare`] | from a document to a task |
//! | `lookup`, [`remembered`], [`perform`] | from a task to its outcome |
//!
//! The rooms are declared in this order, and none depends on a later one.

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once, at the end of a job, and read by a person"
)]

pub mod moment;
pub mod codespecs;
pub mod record;
pub mod jobs;
pub mod job_log;
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
pub mod resolve;
pub mod prepare;
mod lookup;
pub mod remembered;
pub mod perform;
