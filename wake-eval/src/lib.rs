//! Turns Jsonnet into plain values.
//!
//! A [`Request`] names one function application (a `PKG.libsonnet`, its `inputs`, a module); what comes back is
//! JSON together with everything that was read to compute it, so that the caller can remember the result and later
//! check whether it still holds. Evaluation happens in worker processes of a [`Pool`]: whatever a user writes, the
//! worst it can do is to end one worker, which is reported as an [`EvalError`] that names the package.
//!
//! Its rooms, each of which knows only those before it; the same holds within each of them:
//!
//! | rooms | what they are |
//! |---|---|
//! | `answers`, `sources` | whom an evaluation may ask: about other packages and modules, for the files of its own |
//! | `limits`, `outcome`, `error` | how much it may use, what it yields, what went wrong |
//! | `request`, `wire` | what is asked of a worker, and how both ends of the pipe say it |
//! | `prepare` | source texts as the engine is to see them |
//! | `engine` | the language |
//! | `resident`, `confine`, `serve` | the worker: how much memory it holds, what it may do, the loop that it lives in |
//! | `pool` | the processes, as their parent sees them |
//!
//! This crate opens no file itself. A worker is given [`Sources`] by whoever calls [`serve`], and asks the parent's
//! [`Answers`] for what other packages and modules look like.

#![expect(
    clippy::result_large_err,
    reason = "an error is moved a few times, after an evaluation that cost a thousand times that"
)]

mod answers;
mod sources;
mod limits;
mod outcome;
mod error;
mod request;
mod wire;
mod prepare;
mod engine;
mod resident;
mod confine;
mod serve;
mod pool;

pub use answers::{
    Answer, Answers, Library, NoAnswers, OptionSetting, SetValue, Topic, Way, named_digest,
};
pub use engine::{EditError, Literal, argument_of, argument_place, imports, with_pkg, without_pkg};
pub use error::{EvalError, Frame, Kind, Limit, Place};
pub use limits::{Limits, machine_memory};
pub use outcome::{Evaluated, Read, digest_of_listing, list_digest};
pub use pool::{Line, Pool, Response, Service, WorkerCommand};
pub use request::{Op, Request};
pub use serve::serve;
pub use sources::{EntryKind, ListEntry, SourceError, Sources};

/// The language engine and its release, with the version of what is done to texts before it sees them and of the
/// functions that stand in for its own; part of every memo key.
pub const ENGINE: &str = "jrsonnet 0.5.0-pre98, prepared 4";

/// The version of the `wake` object that functions receive; part of every memo key.
pub const API_VERSION: u32 = 3;
