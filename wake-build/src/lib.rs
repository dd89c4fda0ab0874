//! Carries a build from package files to results.
//!
//! The files, read in this order, are the way that a build takes:
//!
//! | file | does |
//! |---|---|
//! | `workspace`, `settings`, `target` | finds the checkout and what is to be built |
//! | `sources`, `files`, `evaluate` | looks at files and applies functions, remembering both |
//! | `load`, `package`, `resolve`, `instance`, `named` | from package files to packages with their inputs |
//! | `module`, `plan` | from packages to the graph of configured modules |
//! | `pin`, `view`, `written` | from a module whose needs are done to one action |
//! | `job`, `execute`, `schedule`, `reason` | runs actions, or remembers what came of them |
//! | `links`, `history`, `run_log`, `state` | what stays behind in the checkout |
//! | `shelf` | what is put aside meanwhile |
//! | `snapshot` | what the last build looked at and what came of it, for the next one to start from |
//! | `event`, `diagnostic`, `profile` | what is told meanwhile: what happens, what is wrong, where the time goes |
//! | `session`, `build`, `explain` | what a front asks for |
//! | `cycle`, `source_text` | for messages: the way around a cycle, where a text stands in a source |

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a person"
)]

mod build;
mod cycle;
pub mod diagnostic;
mod evaluate;
pub mod event;
mod execute;
mod explain;
mod files;
mod history;
mod instance;
mod job;
mod links;
mod load;
mod module;
mod named;
mod package;
mod pin;
mod plan;
pub mod profile;
mod reason;
mod resolve;
pub mod run_log;
mod schedule;
mod session;
mod settings;
mod shelf;
mod snapshot;
mod source_text;
mod sources;
mod state;
mod target;
mod view;
mod workspace;
mod written;

pub use build::{BuildReport, BuildRequest, Built};
pub use explain::{
    EvalResult, Graph, GraphEdge, GraphNode, Listed, PlannedState, PlannedStep, Why, WhyChange,
};
pub use files::file_digest;
pub use job::StepJob;
pub use session::{
    Cancel, Options, Session, Workers, evaluation_worker, open_store, sandbox_worker,
};
pub use settings::Settings;
pub use wake_exec::{Finding, probe};
pub use wake_store as store;
pub use workspace::{PKG_FILE, STATE_DIR, WORKSPACE_FILE, Workspace};
