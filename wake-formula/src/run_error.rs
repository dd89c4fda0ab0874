//! Why a formula could not be carried out.

use wake_exec::SandboxError;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::{StepError, ware_class};
use wake_store::StoreError;
use wake_store::ware::{PackError, ParseWarehouseError, UnpackError};

/// A formula that gave no record. One whose command failed gave one.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The inputs do not fit together.
    #[error("{0}")]
    Assembly(String),
    /// What is to be run cannot be.
    #[error("{0}")]
    Job(String),
    /// The formula asks for the network and the user has not allowed it.
    #[error("the formula asks for the network")]
    Network,
    /// The formula touches what lies outside its document's directory, and the user has not allowed it.
    #[error("{0}, which lies outside the document's directory")]
    Host(String),
    /// The formula asks for rights that nobody can give it here.
    #[error("policy `{policy}` cannot be granted: {reason}")]
    Policy {
        /// The policy.
        policy: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The address of a warehouse cannot be read.
    #[error("`{path}`: {source}")]
    Address {
        /// The input or output.
        path: String,
        /// What is wrong with it.
        source: ParseWarehouseError,
    },
    /// An input could not be had.
    #[error("input `{path}`: {source}")]
    Input {
        /// Where it should stand.
        path: String,
        /// What happened.
        source: UnpackError,
    },
    /// An output could not be packed.
    #[error("output `{path}`: {source}")]
    Output {
        /// Where it was made.
        path: String,
        /// What happened.
        source: PackError,
    },
    /// An output could not be saved to its warehouse.
    #[error("output `{path}`: {source}")]
    Save {
        /// Where it was made.
        path: String,
        /// What happened.
        source: UnpackError,
    },
    /// The command left something that cannot be kept: what, a line each.
    #[error("{0}")]
    Left(String),
    /// It was stopped.
    #[error("cancelled")]
    Cancelled,
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// What a person is told of the formula called `label`, which it kept from being carried out.
    pub fn diagnostic(&self, label: &str) -> Diagnostic {
        let class = match self {
            RunError::Input { source, .. } => ware_class(source),
            RunError::Network | RunError::Host(_) | RunError::Address { .. } => Class::Usage,
            RunError::Assembly { .. } | RunError::Job { .. } => Class::Evaluation,
            RunError::Left { .. } | RunError::Output { .. } => Class::Action,
            RunError::Cancelled => Class::Interrupted,
            RunError::Policy { .. }
            | RunError::Save { .. }
            | RunError::Sandbox(_)
            | RunError::Store(_) => Class::Environment,
        };
        let mut diagnostic = Diagnostic::error(class, format!("{label}: {self}"));
        diagnostic.help.extend(self.help());
        diagnostic
    }

    /// The published category and its exit code.
    pub fn category(&self) -> (&'static str, u8) {
        let ware = |category: wake_store::ware::Category| (category.name(), category.exit_code());
        match self {
            RunError::Assembly { .. } => ("rio-assembly-invalid", 10),
            RunError::Job { .. } => ("repeatr-job-invalid", 40),
            RunError::Network | RunError::Host(_) => ("repeatr-usage-error", 1),
            RunError::Policy { .. } => ("repeatr-executor-problem", 42),
            RunError::Address { .. } => ("rio-usage-error", 1),
            RunError::Input { source, .. } => ware(source.category()),
            RunError::Output { source, .. } => ware(source.category()),
            RunError::Save { source, .. } => ware(source.category()),
            RunError::Cancelled => ("rio-cancelled", 8),
            RunError::Left { .. } => ("rio-pack-invalid", 11),
            RunError::Sandbox(SandboxError::NotStarted { .. }) => ("repeatr-job-invalid", 40),
            RunError::Sandbox(_) => ("repeatr-executor-problem", 42),
            RunError::Store(_) => ("repeatr-local-cache-problem", 41),
        }
    }

    /// One thing to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Network => Some("`wake formula run --allow-network` allows it".to_owned()),
            RunError::Host(_) => Some("`wake formula run --allow-host` allows it".to_owned()),
            RunError::Policy { policy: "governor", .. } => Some("run it as root".to_owned()),
            RunError::Policy { .. } => {
                Some("`governor` has the rights to change owners and users".to_owned())
            }
            RunError::Input { source: UnpackError::HashMismatch { .. }, .. } => Some(
                "the warehouse has something else under this id: fetch it from another one"
                    .to_owned(),
            ),
            RunError::Input { source: UnpackError::Warehouse(_), path } => Some(format!(
                "name a warehouse that has it, in the context's `fetchUrls` for `{path}`"
            )),
            RunError::Sandbox(SandboxError::Unavailable { hint, .. }) => Some(hint.0.clone()),
            _ => None,
        }
    }
}

impl From<StepError> for RunError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Cancelled => RunError::Cancelled,
            StepError::Ware { path, source } => RunError::Input { path, source },
            StepError::Output { path, source } => RunError::Output { path, source },
            StepError::Sandbox(error) => RunError::Sandbox(error),
            StepError::Store(error) => RunError::Store(error),
            error @ StepError::RootNoDirectory => {
                RunError::Assembly(format!("input `/` is no directory: {error}"))
            }
            error => RunError::Job(error.to_string()),
        }
    }
}
