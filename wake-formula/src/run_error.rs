//! Why a formula could not be performed.

use wake_exec::SandboxError;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::{StepError, ware_class};
use wake_store::StoreError;
use wake_store::ware::{PackError, ParseWarehouseError, UnpackError};

/// A formula without a record. A formula whose command failed has one.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The inputs do not fit together.
    #[error("{0}")]
    Assembly(String),
    /// The command cannot be run.
    #[error("{0}")]
    Job(String),
    /// The formula asks for the network, which the user has not allowed.
    #[error("the formula asks for the network")]
    Network,
    /// The formula accesses something outside its document's directory, which the user has not allowed.
    #[error("{0}, which is outside the document's directory")]
    Host(String),
    /// The formula asks for rights that cannot be granted here.
    #[error("policy `{policy}` cannot be granted: {reason}")]
    Policy {
        /// The policy.
        policy: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// The address of a warehouse cannot be parsed.
    #[error("`{path}`: {source}")]
    Address {
        /// The input or output.
        path: String,
        /// The error.
        source: ParseWarehouseError,
    },
    /// An input is not available.
    #[error("input `{path}`: {source}")]
    Input {
        /// Its path.
        path: String,
        /// The error.
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
    /// The command's outputs cannot be kept: a line for each reason.
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
    /// Returns the diagnostic for the formula called `label`.
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

    /// Returns the published category and its exit code.
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

    /// Returns a remedy.
    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Network => {
                Some("use `wake formula run --allow-network` to allow it".to_owned())
            }
            RunError::Host(_) => Some("use `wake formula run --allow-host` to allow it".to_owned()),
            RunError::Policy { policy: "governor", .. } => Some("run it as root".to_owned()),
            RunError::Policy { .. } => {
                Some("use `governor` for the rights to change owners and users".to_owned())
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
                RunError::Assembly(format!("input `/` is not a directory: {error}"))
            }
            error => RunError::Job(error.to_string()),
        }
    }
}
