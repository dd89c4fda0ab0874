//! Why a job could not be run. A command that ran and failed is no error.

use std::io;
use std::path::PathBuf;

/// Why a job could not be run, or why its result is void.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel or the machine's settings do not allow the isolation that was asked for.
    #[error("this machine does not allow {missing}: {source}")]
    Unavailable {
        /// What is not allowed, such as `user namespaces`.
        missing: String,
        /// What the kernel said.
        source: io::Error,
        /// What a person can do about it.
        hint: Hint,
    },
    /// Inputs did not have the content that the job's key says, or changed while the command ran.
    #[error("{} changed while it was in use", names(paths))]
    Changed {
        /// Which files of the host.
        paths: Vec<PathBuf>,
    },
    /// The command could not be started.
    #[error("`{program}` could not be started: {source}")]
    NotStarted {
        /// The program as the job names it.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A step of preparing, watching or collecting failed.
    #[error("could not {step} `{path}`: {source}", path = path.display())]
    Step {
        /// What was being done, such as `copy`.
        step: String,
        /// With what.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The job contradicts itself.
    #[error("`{path}` {reason}")]
    BadJob {
        /// Which path.
        path: String,
        /// Why it cannot be.
        reason: String,
    },
    /// It was killed because it held more on disk than it may.
    #[error(
        "more than {bytes} bytes or {files} files lay in one of its directories on disk: {held} bytes when it was killed"
    )]
    OutOfDisk {
        /// How many bytes each may hold.
        bytes: u64,
        /// How many files.
        files: u64,
        /// How many bytes the fullest held.
        held: u64,
    },
    /// It was killed because it held more on disk than was left there, and that was little.
    #[error(
        "its directories on disk held more than was left there, and that was less than {reserve} bytes"
    )]
    DiskFull {
        /// How many bytes are kept free where that can be.
        reserve: u64,
    },
    /// The caller cancelled it.
    #[error("cancelled")]
    Cancelled,
    /// The worker process could not be started.
    #[error("sandbox worker `{program}` could not be started: {source}", program = program.display())]
    WorkerNotStarted {
        /// The program.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The worker process died or said something that makes no sense.
    #[error("the sandbox worker failed: {0}")]
    Worker(String),
}

/// What a person can do about a missing isolation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(pub String);

impl SandboxError {
    pub(crate) fn step(step: &str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        SandboxError::Step { step: step.to_owned(), path: path.into(), source: source.into() }
    }

    pub(crate) fn unavailable(missing: &str, source: impl Into<io::Error>) -> Self {
        SandboxError::Unavailable {
            missing: missing.to_owned(),
            source: source.into(),
            hint: hint(missing),
        }
    }
}

/// The setting that most often forbids `missing`.
fn hint(missing: &str) -> Hint {
    Hint(match missing {
        "user namespaces" => "allow them with `sysctl user.max_user_namespaces=10000` (and, where it exists, \
             `kernel.unprivileged_userns_clone=1` or `kernel.apparmor_restrict_unprivileged_userns=0`), \
             or ask for the weak sandbox"
            .to_owned(),
        "mounting /proc" => "inside a container, start it with `--security-opt systempaths=unconfined`, \
             or ask for the weak sandbox"
            .to_owned(),
        _ => "run outside the container or with fewer restrictions, or ask for the weak sandbox".to_owned(),
    })
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(3).map(|p| format!("`{}`", p.display())).collect();
    match paths.len().saturating_sub(3) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
