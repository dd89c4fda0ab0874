//! Runs one command in isolation, and collects the outputs that it was declared to create.
//!
//! The host process owns an [`Executor`]. It starts worker processes, each the same program under another name whose
//! `main` is [`serve`]. A worker enters its namespaces once and then runs one [`Job`] after another in them.
//! `spec/sandbox.md` describes what a command sees, what it cannot do and the known limitations.
//!
//! ```text
//!  Executor ── Job ──▶ worker: populate ─▶ spawn ─▶ supervise ─▶ reap ─▶ collect ── Finished ──▶ Executor
//! ```

mod clock;
mod defaults;
mod network_place;
mod job;
mod etc;
mod installed;
mod host;
mod cancel;
mod scheduling;
mod error;
mod finished;
mod visit;
mod groups;
mod wire;
mod worker;
mod networks;
mod executor;
mod probe;

pub use cancel::CancelToken;
pub use defaults::{
    BUILDER_GID, BUILDER_UID, DEFAULT_ENV, HOME, HOSTNAME, REPORT_FILE, REPORT_VARIABLE,
    SOURCE_DATE_EPOCH, SYSTEM_DIRS, WORK_DIR, WORK_PATH,
};
pub use error::{Hint, SandboxError};
pub use etc::{EtcNode, etc_of_host, fixed_etc, is_system};
pub use executor::{Executor, WorkerCommand};
pub use finished::{Change, Changed, JobResult, Log, OutputDefect, OutputFault, Timings};
pub use host::{HostContents, HostIdentity, HostIdentityError, HostProof};
pub use job::{
    Access, Command, Fidelity, Identity, Job, JobInput, JobRoot, Layer, Limits, Logs, Network,
    Outputs, Rights, Seal, Source, Stream, TakeOutputs, WorkPlace,
};
pub use network_place::NetworkPlace;
pub use networks::Networks;
pub use probe::{Finding, probe};
pub use scheduling::Scheduling;
pub use visit::{Visit, VisitOrder, Visitor};
pub use worker::{keeps_owners, serve};
