//! Performs a graph of steps, each remembered by its action.
//!
//! A step is one command with what it is to see and to leave. Who has documents of some kind, a workspace of packages or a
//! formula, makes [`Steps`](steps::Steps) of them; here they are pinned, looked up, run, kept, told of and explained, all in
//! one way. Nothing here knows Jsonnet, packages, workspaces or documents; the
//! kinds of event that only one front has to tell stand with the others, because they are one stream.
//!
//! The rooms, in their order; none knows a later one:
//!
//! | room | does |
//! |---|---|
//! | `clock`, `cancel` | when, and no longer |
//! | `diagnostic`, `event`, `profile` | what is told: what is wrong, what happens, where the time goes |
//! | `run_log`, `history` | what stays: the log of a run, what steps did before |
//! | `step`, `wares`, `results` | what is to be done, and what there is for it |
//! | `error` | why a step could not be performed |
//! | `pin`, `shell_line` | a step whose needs are done becomes an action; its command as one would type it |
//! | `own_tree`, `reason` | what many own files are; why an action ran |
//! | `depfile`, `claims` | what commands say that they have read, and the hits that follow from it |
//! | `test_report` | what tests say of their cases |
//! | `slots`, `engine`, `here`, `collect` | performing an action: in turn, anywhere, on this machine, or by taking what lies there |
//! | `hosts` | what machines consisted of |
//! | `machine` | a store, an engine, threads |
//! | `steps`, `schedule`, `run` | many steps, each in its time, and all that is told of that |
//! | `explain` | the same without performing anything |

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a person"
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
