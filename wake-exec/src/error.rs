//! Errors of running a job. A command that ran and failed is not an error.

use std::io;
use std::path::PathBuf;

/// Why a job could not be run, or why its result is invalid.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel or the machine's settings do not allow the requested isolation.
    #[error("this machine does not allow {missing}: {source}")]
    Unavailable {
        /// What is not allowed, such as `user namespaces`.
        missing: String,
        /// The kernel's error.
        source: io::Error,
        /// What the user can do about it.
        hint: Hint,
    },
    /// Inputs did not have the content that the job's key states, or changed while the command ran.
    #[error("{} changed while it was in use", names(paths))]
    Changed {
        /// The files on the host.
        paths: Vec<PathBuf>,
    },
    /// The command could not be started.
    #[error("`{program}` could not be started: {source}")]
    NotStarted {
        /// The program as named by the job.
        program: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A step of preparing, supervising or collecting failed.
    #[error("cannot {step} `{path}`: {source}", path = path.display())]
    Step {
        /// What was being done, such as `copy`.
        step: String,
        /// The path concerned.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The job is inconsistent.
    #[error("`{path}` {reason}")]
    BadJob {
        /// The path concerned.
        path: String,
        /// Why it is invalid.
        reason: String,
    },
    /// The command was killed because it held more on disk than it may.
    #[error(
        "one of its directories on disk exceeded {bytes} bytes or {files} files: it held {held} bytes when the command was killed"
    )]
    OutOfDisk {
        /// How many bytes each directory may hold.
        bytes: u64,
        /// How many files each may hold.
        files: u64,
        /// How many bytes the fullest directory held.
        held: u64,
    },
    /// The command was killed because it held more on disk than was left there, and little was left.
    #[error(
        "its directories on disk held more than the space left there, which was less than {reserve} bytes"
    )]
    DiskFull {
        /// How many bytes are kept free if possible.
        reserve: u64,
    },
    /// The caller cancelled the job.
    #[error("cancelled")]
    Cancelled,
    /// The worker process could not be started.
    #[error("sandbox worker `{program}` could not be started: {source}", program = program.display())]
    WorkerNotStarted {
        /// The program.
        program: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The worker process died or sent an invalid message.
    #[error("the sandbox worker failed: {0}")]
    Worker(String),
}

/// What the user can do about missing isolation.
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

/// Returns advice about the setting that most often forbids `missing`.
fn hint(missing: &str) -> Hint {
    Hint(match missing {
        "user namespaces" => "allow them with `sysctl user.max_user_namespaces=10000` (and, where it exists, \
             `kernel.unprivileged_userns_clone=1` or `kernel.apparmor_restrict_unprivileged_userns=0`), \
             or use the weak sandbox"
            .to_owned(),
        "mounting /proc" => "inside a container, start it with `--security-opt systempaths=unconfined`, \
             or use the weak sandbox"
            .to_owned(),
        _ => "run outside the container or with fewer restrictions, or use the weak sandbox".to_owned(),
    })
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(3).map(|p| format!("`{}`", p.display())).collect();
    match paths.len().saturating_sub(3) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
