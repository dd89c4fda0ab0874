//! Why a step could not be performed, and how the user is told.

use std::borrow::Borrow;
use std::io::{self, ErrorKind};
use std::path::Path;

use wake_exec::SandboxError;
use wake_store::ware::{Category, PackError, UnpackError};
use wake_store::{BuildTreeError, Store, StoreError};

use crate::diagnostic::{Class, Diagnostic};

/// A step that could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The build is being stopped.
    #[error("the build was stopped")]
    Cancelled,
    /// An image could not be assembled.
    #[error("cannot assemble its image: {0}")]
    Image(String),
    /// Its front cannot make it.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
    /// A dependency did not produce the output that it needs.
    #[error("no dependency produced `{path}`")]
    NoOutput {
        /// The path where the output was expected.
        path: String,
    },
    /// Its program is not executable.
    #[error("`{program}` is not executable")]
    NotExecutable {
        /// The program.
        program: String,
    },
    /// Its program is a script whose interpreter is not in the sandbox.
    #[error("`{program}` could not be started: its `#!` line names `{}`, which does not exist", interpreter.escape_default())]
    Interpreter {
        /// The script.
        program: String,
        /// The interpreter named in the first line, with trailing white space.
        interpreter: String,
    },
    /// Its program is in none of the directories of `PATH`.
    #[error("program `{program}` not found in {}", dirs(searched))]
    NoProgram {
        /// The program.
        program: String,
        /// The directories of its `PATH`.
        searched: Vec<String>,
    },
    /// A ware could not be provided.
    #[error("`{path}`: {source}")]
    Ware {
        /// Where the ware was to lie.
        path: String,
        /// The error.
        source: UnpackError,
    },
    /// A link that has to be followed is part of a loop.
    #[error("the symbolic link `{path}` is part of a loop")]
    LinkCycle {
        /// The link, or a path that contains it.
        path: String,
    },
    /// Its root file system is not a directory.
    #[error("its root file system is not a directory")]
    RootNoDirectory,
    /// Its root file system is not in the store and was not to be fetched.
    #[error("{of} has not been fetched")]
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
    /// Its outputs could not be assembled.
    #[error(transparent)]
    Build(BuildTreeError),
    /// Content in the store, or from the engine, does not match its digest.
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
        [] => "its `PATH`, which lists no directory".to_owned(),
        _ => format!("`{}`", searched.join("`, `")),
    }
}

pub(crate) const MAKES_ROOM: &str = "run `wake gc --max-size SIZE` to free space";

/// Returns the diagnostic for a failure of the store.
pub fn store_failure(error: impl Borrow<StoreError>) -> Diagnostic {
    let error = error.borrow();
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        StoreError::DiskFull { .. } => diagnostic.help(MAKES_ROOM),
        StoreError::Io { .. } => diagnostic,
    }
}

/// Returns the diagnostic for a store in `dir` that has no room for the output of a command.
pub fn store_full(dir: &Path) -> Diagnostic {
    let message = format!("no space left in the store `{}`", dir.display());
    Diagnostic::error(Class::Environment, message).help(MAKES_ROOM)
}

/// Returns the class of a failure to provide a ware, which decides the exit code.
pub fn ware_class(error: &UnpackError) -> Class {
    match error.category() {
        Category::WareCorrupt | Category::HashMismatch => Class::Integrity,
        Category::Usage | Category::FilterRejection => Class::Evaluation,
        Category::Cancelled => Class::Interrupted,
        _ => Class::Environment,
    }
}

impl StepError {
    /// Returns the diagnostic for the step called `label`.
    pub fn diagnostic(&self, label: &str, store: &Store) -> Diagnostic {
        let of = |class| Diagnostic::error(class, format!("{label}: {self}"));
        match self {
            StepError::Cancelled => of(Class::Interrupted),
            StepError::Refused(diagnostic) => (**diagnostic).clone(),
            StepError::NoOutput { .. } => of(Class::Evaluation)
                .help("an input changed during the build: run the build again"),
            StepError::NotExecutable { .. } => {
                of(Class::Evaluation).help("set its executable bit, with `chmod +x` or in the step that creates it")
            }
            StepError::Interpreter { interpreter, .. } if interpreter.ends_with('\r') => {
                of(Class::Action)
                    .help("the script has Windows line endings: save it with line feeds only")
            }
            StepError::Interpreter { .. } => {
                of(Class::Action).help("name an interpreter that exists in the sandbox, such as `/bin/sh`")
            }
            StepError::NoProgram { .. } => of(Class::Action)
                .help("add it to `rootfs` (wake.HOST has the machine's `/usr`, but no home directory), or set the search path with `env={ PATH: ... }`"),
            StepError::RootNoDirectory | StepError::LinkCycle { .. } => of(Class::Evaluation),
            StepError::Absent { .. } => of(Class::Network).help("build it to fetch the image"),
            StepError::Ware { source, .. } => of(ware_class(source)),
            StepError::Output { .. } | StepError::Build(_) => of(Class::Action),
            StepError::Image(_) => of(Class::Environment),
            StepError::Integrity(_) => Diagnostic::error(Class::Integrity, self.to_string()),
            StepError::Store(error) => store_failure(error),
            StepError::Sandbox(error) => sandbox_failure(error, &of, store),
        }
    }
}

/// Returns a remedy for a program that the kernel does not start.
fn not_started(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ArgumentListTooLong => {
            "one argument or variable can have up to 128 KiB, all together 2 MiB: write longer data to a file and pass its name"
        }
        ErrorKind::NotFound => {
            "make sure that the program and its interpreter exist in the sandbox"
        }
        ErrorKind::PermissionDenied => {
            "the program must be a file with its executable bit set: set it in the step that creates it"
        }
        _ => {
            "a script must begin with a line such as `#!/bin/sh`; a binary must be built for this machine's platform"
        }
    }
}

/// Returns the diagnostic for a command that the sandbox did not run.
fn sandbox_failure(
    error: &SandboxError,
    of: &dyn Fn(Class) -> Diagnostic,
    store: &Store,
) -> Diagnostic {
    match error {
        SandboxError::Cancelled => of(Class::Interrupted),
        SandboxError::Unavailable { hint, .. } => of(Class::Environment).help(hint.0.clone()).help(
            "use `--sandbox=weak` to run commands without isolation; their results are kept apart",
        ),
        SandboxError::Changed { .. } => {
            of(Class::Action).help("a file was edited during the build: run the build again")
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
