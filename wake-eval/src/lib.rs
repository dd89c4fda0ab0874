//! Evaluates Jsonnet to plain values.
//!
//! A [`Request`] names one function application (a `PKG.libsonnet`, its `inputs`, a module). The result is JSON,
//! together with everything that was read to compute it, so that the caller can cache the result and later check
//! whether it is still valid. Evaluation happens in worker processes of a [`Pool`]: whatever a user writes, the worst
//! it can do is to end one worker, which is reported as an [`EvalError`] that names the package.
//!
//! The rooms of this crate. Each knows only those before it; the same holds within each of them:
//!
//! | rooms | what they are |
//! |---|---|
//! | `answers`, `sources` | what an evaluation can query: other packages and modules, and the files of its own |
//! | `limits`, `outcome`, `error` | limits, results, errors |
//! | `request`, `wire` | requests to a worker, and the protocol on the pipe |
//! | `prepare` | rewriting of source texts for the engine |
//! | `engine` | the language |
//! | `resident`, `confine`, `serve` | the worker: its memory use, its sandbox, its main loop |
//! | `pool` | the worker processes, as seen by their parent |
//!
//! This crate opens no package files itself. A worker gets its [`Sources`] from the caller of [`serve`], and queries
//! the parent's [`Answers`] about other packages and modules.

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

/// The engine and its release, with the version of the rewriting of texts and of the functions that replace the
/// engine's own. Part of every memo key.
pub const ENGINE: &str = "jrsonnet 0.5.0-pre98, prepared 4";

/// The version of the `wake` object that functions receive; part of every memo key.
pub const API_VERSION: u32 = 3;
