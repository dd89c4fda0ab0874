//! How the program ends.

use std::io;

use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// What a command comes to: the code that shells see; what it means has been said.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All went well.
    pub(crate) const SUCCESS: Exit = Exit(0);
}

/// Why a command stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something to tell.
    Failure(Failure),
    /// Something to tell people, with an exit code that others publish for it.
    Refusal(Diagnostic, u8),
    /// Nobody reads standard output any more; there is nothing to tell.
    NobodyReads,
}

/// What commands return.
pub(crate) type Outcome = Result<Exit, Stop>;

/// Nothing could be run, because wake failed before. These three are as container tools have them.
pub(crate) const NOT_STARTED: u8 = 125;
/// What was to be run cannot be executed.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// What was to be run is not there.
pub(crate) const NOT_FOUND: u8 = 127;

/// 128 and the number of SIGPIPE: what a shell sees of a program that died of it.
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

/// Only for standard output: every other file's error names its path.
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
