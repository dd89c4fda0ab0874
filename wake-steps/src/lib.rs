//! Performs a graph of steps, each remembered by its action.
//!
//! A step is one command with its inputs and outputs. A front, for a workspace of packages or for a formula, turns its documents
//! into [`Steps`](steps::Steps); here they are pinned, looked up, run, stored, reported and explained, all in
//! the same way. Nothing here knows Jsonnet, packages, workspaces or documents; the
//! few kinds of event that only one front sends are defined with the others because they share a stream.
//!
//! The rooms, in order; none knows a later one:
//!
//! | room | does |
//! |---|---|
//! | `clock`, `cancel` | time, and stopping |
//! | `diagnostic`, `event`, `profile` | what is reported: problems, progress, where the time goes |
//! | `run_log`, `history` | what is kept: the log of a run, the last keys of steps |
//! | `step`, `wares`, `results` | what to perform, and on what |
//! | `error` | why a step could not be performed |
//! | `pin`, `shell_line` | a step whose dependencies are done becomes an action; its command as a user would type it |
//! | `own_tree`, `reason` | large sets of own files; why an action ran |
//! | `depfile`, `claims` | what commands say that they read, and the cache hits that follow |
//! | `test_report` | what tests report about their cases |
//! | `slots`, `engine`, `here`, `collect` | performing an action: in turn, on any engine, on this machine, or without a command |
//! | `hosts` | the contents of hosts |
//! | `machine` | a store, an engine, threads |
//! | `steps`, `schedule`, `run` | many steps in order, and the events of a run |
//! | `explain` | the same without performing anything |

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a user"
)]

pub mod clock;
mod cancel;
pub mod diagnostic;
pub mod event;
pub mod profile;
pub mod run_log;
pub mod history;
pub mod step;
pub mod wares;
pub mod results;
pub mod error;
pub mod image_failure;
pub mod pin;
pub mod shell_line;
mod own_tree;
pub mod reason;
mod depfile;
mod claims;
pub mod test_report;
mod advice;
pub mod slots;
pub mod engine;
pub mod here;
pub mod collect;
mod compose;
mod hosts;
pub mod machine;
pub mod steps;
pub mod schedule;
pub mod run;
pub mod explain;

pub use cancel::Cancel;
pub use claims::read_name;
pub use machine::{MOST_JOBS, Machine, MachineOptions, open_store};
pub use pin::StepContext;
pub use results::{Results, StepOutput};
pub use schedule::{Batch, BatchResult, SchedulePolicy};
pub use step::{Input, Inputs, OwnFiles, SourceBase, SourceFile, SourceFiles, Step, StepId};
pub use steps::{StepFailure, StepSuccess, Steps, TestPolicy};
