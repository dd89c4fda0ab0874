//! Why a step could not be performed, and what a person is told of it.

use std::borrow::Borrow;
use std::io::{self, ErrorKind};
use std::path::Path;

use wake_exec::SandboxError;
use wake_store::ware::{Category, PackError, UnpackError};
use wake_store::{BuildTreeError, Store, StoreError};

use crate::diagnostic::{Class, Diagnostic};

/// A step that came to no end, good or bad.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The build is being stopped.
    #[error("the build was stopped")]
    Cancelled,
    /// An image could not be put together.
    #[error("its image: {0}")]
    Image(String),
    /// Whoever made the step says that it cannot be.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
    /// A step that it needs left nothing at a path of its outputs.
    #[error("`{path}` is not among the outputs of a step that it needs")]
    NoOutput {
        /// Where it should lie.
        path: String,
    },
    /// Its program may not be executed.
    #[error("`{program}` is not executable")]
    NotExecutable {
        /// The program.
        program: String,
    },
    /// Its program is a script for a program that the sandbox does not have.
    #[error("`{program}` could not be started: its `#!` line names `{}`, which is not there", interpreter.escape_default())]
    Interpreter {
        /// The script.
        program: String,
        /// What its first line names, white space at its end included.
        interpreter: String,
    },
    /// Its program is in none of the directories in which it was looked for.
    #[error("there is no program `{program}` in {}", dirs(searched))]
    NoProgram {
        /// The program.
        program: String,
        /// The directories of its `PATH`.
        searched: Vec<String>,
    },
    /// A ware could not be had.
    #[error("`{path}`: {source}")]
    Ware {
        /// Where it should lie.
        path: String,
        /// What happened.
        source: UnpackError,
    },
    /// A link that is to be followed leads back to itself.
    #[error("the symbolic link `{path}` leads back to itself")]
    LinkCycle {
        /// The link, or what it lies in.
        path: String,
    },
    /// What its root file system is to be is no directory.
    #[error("its root file system is no directory")]
    RootNoDirectory,
    /// Its root file system is not here, and was not to be fetched.
    #[error("{of} is not here")]
    Absent {
        /// What it would be fetched from.
        of: String,
    },
    /// An output could not be packed.
    #[error("output `{path}`: {source}")]
    Output {
        /// Where it was made.
        path: String,
        /// What happened.
        source: PackError,
    },
    /// The sandbox did not run its command.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// Its outputs could not be put together.
    #[error(transparent)]
    Build(BuildTreeError),
    /// The store holds something else than it should, or the engine brought something else than it said.
    #[error("{0}")]
    Integrity(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SandboxError> for StepError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Cancelled => StepError::Cancelled,
            error => StepError::Sandbox(error),
        }
    }
}

impl From<BuildTreeError> for StepError {
    fn from(error: BuildTreeError) -> Self {
        match error {
            BuildTreeError::Store(error) => StepError::Store(error),
            BuildTreeError::Stopped => StepError::Cancelled,
            error => StepError::Build(error),
        }
    }
}

fn dirs(searched: &[String]) -> String {
    match searched {
        [] => "its `PATH`, which names no directory".to_owned(),
        _ => format!("`{}`", searched.join("`, `")),
    }
}

pub(crate) const MAKES_ROOM: &str = "`wake gc --max-size SIZE` makes room";

/// What a person is told when the store fails.
pub fn store_failure(error: impl Borrow<StoreError>) -> Diagnostic {
    let error = error.borrow();
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        StoreError::DiskFull { .. } => diagnostic.help(MAKES_ROOM),
        StoreError::Io { .. } => diagnostic,
    }
}

/// What a person is told where the store in this directory has no room for what a command makes.
pub fn store_full(dir: &Path) -> Diagnostic {
    let message = format!("no space left in the store `{}`", dir.display());
    Diagnostic::error(Class::Environment, message).help(MAKES_ROOM)
}

/// Who is at fault where a ware cannot be had, which decides the exit code.
pub fn ware_class(error: &UnpackError) -> Class {
    match error.category() {
        Category::WareCorrupt | Category::HashMismatch => Class::Integrity,
        Category::Usage | Category::FilterRejection => Class::Evaluation,
        Category::Cancelled => Class::Interrupted,
        _ => Class::Environment,
    }
}

impl StepError {
    /// What a person is told of the step called `label`.
    pub fn diagnostic(&self, label: &str, store: &Store) -> Diagnostic {
        let of = |class| Diagnostic::error(class, format!("{label}: {self}"));
        match self {
            StepError::Cancelled => of(Class::Interrupted),
            StepError::Refused(diagnostic) => (**diagnostic).clone(),
            StepError::NoOutput { .. } => of(Class::Evaluation)
                .help("an input is another thing than before: run the build again"),
            StepError::NotExecutable { .. } => {
                of(Class::Evaluation).help("whatever makes it must set its executable bit")
            }
            StepError::Interpreter { interpreter, .. } if interpreter.ends_with('\r') => {
                of(Class::Action)
                    .help("its lines end as on Windows: write them with line feeds alone")
            }
            StepError::Interpreter { .. } => {
                of(Class::Action).help("name a program that the sandbox has, such as `/bin/sh`")
            }
            StepError::NoProgram { .. } => of(Class::Action)
                .help("`rootfs` must have it: with wake.HOST, `/usr` of the machine, and no home directory, is seen; `env={ PATH: ... }` says where to look"),
            StepError::RootNoDirectory | StepError::LinkCycle { .. } => of(Class::Evaluation),
            StepError::Absent { .. } => of(Class::Network).help("a build fetches it"),
            StepError::Ware { source, .. } => of(ware_class(source)),
            StepError::Output { .. } | StepError::Build(_) => of(Class::Action),
            StepError::Image(_) => of(Class::Environment),
            StepError::Integrity(_) => Diagnostic::error(Class::Integrity, self.to_string()),
            StepError::Store(error) => store_failure(error),
            StepError::Sandbox(error) => sandbox_failure(error, &of, store),
        }
    }
}

/// What a person can do about a program that the kernel does not start.
fn not_started(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ArgumentListTooLong => {
            "one argument or variable may have 128 KiB, all together 2 MiB: write what is longer to a file, and pass its name"
        }
        ErrorKind::NotFound => "is it, or what it is run by, among what the sandbox has?",
        ErrorKind::PermissionDenied => {
            "a program is a file whose executable bit is set: whatever makes it must set it"
        }
        _ => {
            "a script begins with a line such as `#!/bin/sh`; a program must be one of this machine's kind"
        }
    }
}

/// What a person is told when the sandbox did not run a command.
fn sandbox_failure(
    error: &SandboxError,
    of: &dyn Fn(Class) -> Diagnostic,
    store: &Store,
) -> Diagnostic {
    match error {
        SandboxError::Cancelled => of(Class::Interrupted),
        SandboxError::Unavailable { hint, .. } => of(Class::Environment)
            .help(hint.0.clone())
            .help("`--sandbox=weak` runs commands without isolation; its results are kept apart"),
        SandboxError::Changed { .. } => {
            of(Class::Action).help("a file was edited during the build: run it again")
        }
        SandboxError::OutOfDisk { .. } | SandboxError::DiskFull { .. } => of(Class::Action),
        SandboxError::NotStarted { source, .. } => of(Class::Action).help(not_started(source)),
        // Outputs are named relative to the working directory; they are copied into the store.
        SandboxError::Step { source, path, .. }
            if source.kind() == ErrorKind::StorageFull
                && (path.is_relative() || path.starts_with(store.root())) =>
        {
            let (mut full, of_step) = (store_full(store.root()), of(Class::Environment));
            let (label, _) = of_step.message.split_once(": ").unwrap_or_default();
            full.message = format!("{label}: {}", full.message);
            full
        }
        SandboxError::Step { .. } | SandboxError::WorkerNotStarted { .. } => of(Class::Environment),
        SandboxError::BadJob { .. } => of(Class::Evaluation),
        SandboxError::Worker(_) => of(Class::Internal),
    }
}
