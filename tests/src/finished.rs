//! A finished call.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use expect_test::Expect;

use crate::events::Build;
use crate::excerpt;
use crate::redact::Redactions;

/// The outcome of a call.
pub struct Finished {
    call: String,
    /// The exit code; 128 plus its number for a signal.
    pub code: i32,
    /// Standard output, unchanged.
    pub stdout: String,
    /// Standard error, unchanged.
    pub stderr: String,
    redactions: Redactions,
}

impl Finished {
    pub(crate) fn new(call: String, output: Output, redactions: Redactions) -> Finished {
        let status = output.status;
        Finished {
            call,
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            redactions,
        }
    }

    /// Asserts that the call exited with `code`.
    #[track_caller]
    pub fn code(self, code: i32) -> Finished {
        assert!(self.code == code, "exit code {} instead of {code}\n{self}", self.code);
        self
    }

    /// Asserts that the call succeeded.
    #[track_caller]
    pub fn success(self) -> Finished {
        self.code(0)
    }

    /// Asserts that standard error is exactly this, apart from paths and times.
    ///
    /// Its excerpts must also match the files.
    #[track_caller]
    pub fn says(self, expected: Expect) -> Finished {
        if let Err(fault) = excerpt::check(&self.stderr, self.redactions.root()) {
            panic!("{fault}\n{self}");
        }
        expected.assert_eq(&self.redacted_stderr());
        self
    }

    /// Asserts that standard output is exactly this, apart from paths and times.
    #[track_caller]
    pub fn prints(self, expected: Expect) -> Finished {
        expected.assert_eq(&self.redacted_stdout());
        self
    }

    /// Asserts that standard error contains a text.
    #[track_caller]
    pub fn mentions(self, text: &str) -> Finished {
        assert!(self.redacted_stderr().contains(text), "no `{text}` on standard error\n{self}");
        self
    }

    /// Returns standard error without the parts that differ between runs.
    pub fn redacted_stderr(&self) -> String {
        self.redactions.apply(&self.stderr)
    }

    /// Returns standard output without the parts that differ between runs.
    pub fn redacted_stdout(&self) -> String {
        self.redactions.apply(&self.stdout)
    }

    /// Returns the events of `--message-format json`.
    #[track_caller]
    pub fn events(&self) -> Build {
        Build::parse(&self.stdout).unwrap_or_else(|fault| panic!("{fault}\n{self}"))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finished { call, code, stdout, stderr, .. } = self;
        write!(f, "$ {call}\n-- code {code}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }
}
