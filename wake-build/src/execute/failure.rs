//! Why an action could not be run, as a person is told.

use wake_exec::SandboxError;
use wake_store::{BuildTreeError, Store, StoreError};

use crate::diagnostic::{Class, Diagnostic};

/// An action that could not be run.
#[derive(Debug)]
pub(crate) enum NotRun {
    /// The build is being stopped.
    Cancelled,
    /// What a person is to be told.
    Failed(Box<Diagnostic>),
}

impl From<Diagnostic> for NotRun {
    fn from(diagnostic: Diagnostic) -> Self {
        NotRun::Failed(Box::new(diagnostic))
    }
}

impl From<StoreError> for NotRun {
    fn from(error: StoreError) -> Self {
        store_failure(&error).into()
    }
}

const MAKES_ROOM: &str = "`wake gc --max-size SIZE` makes room";

/// What a person is told when the store fails.
pub(crate) fn store_failure(error: &StoreError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        StoreError::DiskFull { .. } => diagnostic.help(MAKES_ROOM),
        StoreError::Io { .. } => diagnostic,
    }
}

/// What a person is told when the sandbox did not run the command of `label`.
pub(super) fn sandbox_failure(label: &str, error: &SandboxError, store: &Store) -> NotRun {
    let diagnostic =
        |class, message: String| Diagnostic::error(class, format!("{label}: {message}"));
    match error {
        SandboxError::Cancelled => NotRun::Cancelled,
        SandboxError::Unavailable { hint, .. } => diagnostic(Class::Environment, error.to_string())
            .help(hint.0.clone())
            .help("`--sandbox=weak` runs commands without isolation; its results are kept apart")
            .into(),
        SandboxError::Changed { .. } => diagnostic(Class::Action, error.to_string())
            .help("a file was edited during the build: run it again")
            .into(),
        SandboxError::NotStarted { .. } => diagnostic(Class::Action, error.to_string())
            .help("does its `#!` line name a program that the sandbox has?")
            .into(),
        // Outputs are named relative to the working directory; they are copied into the store.
        SandboxError::Step { source, path, .. }
            if source.kind() == std::io::ErrorKind::StorageFull
                && (path.is_relative() || path.starts_with(store.root())) =>
        {
            let store = store.root().display();
            diagnostic(Class::Environment, format!("no space left in the store `{store}`"))
                .help(MAKES_ROOM)
                .into()
        }
        SandboxError::Step { .. } | SandboxError::WorkerNotStarted { .. } => {
            diagnostic(Class::Environment, error.to_string()).into()
        }
        SandboxError::BadJob { .. } => diagnostic(Class::Evaluation, error.to_string()).into(),
        SandboxError::Worker(_) => diagnostic(Class::Internal, error.to_string()).into(),
    }
}

/// What a person is told when a tree for `label` could not be put together.
pub(super) fn build_failure(label: &str, error: &BuildTreeError) -> NotRun {
    let message = format!("{label}: {error}");
    match error {
        BuildTreeError::Store(error) => store_failure(error).into(),
        _ => Diagnostic::error(Class::Action, message).into(),
    }
}
