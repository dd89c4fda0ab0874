//! How the program ends.

use std::io;

use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// The exit code of a command; what it means has already been reported.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// Success.
    pub(crate) const SUCCESS: Exit = Exit(0);
}

/// Why a command stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A failure to report.
    Failure(Failure),
    /// A diagnostic to report, with a published exit code.
    Refusal(Diagnostic, u8),
    /// Standard output was closed; there is nothing to report.
    NobodyReads,
}

/// The result of a command.
pub(crate) type Outcome = Result<Exit, Stop>;

/// Nothing was run, because wake failed first. These three codes match those of container tools.
pub(crate) const NOT_STARTED: u8 = 125;
/// The program is not executable.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The program was not found.
pub(crate) const NOT_FOUND: u8 = 127;

/// 128 plus the number of SIGPIPE, as a shell reports a program killed by it.
pub(crate) const NOBODY_READS: u8 = 141;

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Stop::Failure(diagnostic.into())
    }
}

/// For standard output only: errors of other files name their path.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::NobodyReads,
            _ => Diagnostic::error(
                Class::Environment,
                format!("cannot write to standard output: {error}"),
            )
            .into(),
        }
    }
}
