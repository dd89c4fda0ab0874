//! A call that has ended.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use expect_test::Expect;

use crate::events::Build;
use crate::excerpt;
use crate::redact::Redactions;

/// What a call left to see.
pub struct Finished {
    call: String,
    /// The exit code; 128 and its number for a signal.
    pub code: i32,
    /// Standard output as it is.
    pub stdout: String,
    /// Standard error as it is.
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

    /// The same, having exited with `code`.
    #[track_caller]
    pub fn code(self, code: i32) -> Finished {
        assert!(self.code == code, "exit code {} instead of {code}\n{self}", self.code);
        self
    }

    /// The same, having succeeded.
    #[track_caller]
    pub fn success(self) -> Finished {
        self.code(0)
    }

    /// The same, having said exactly this on standard error, apart from paths and times.
    ///
    /// What it shows of files must also be what stands there.
    #[track_caller]
    pub fn says(self, expected: Expect) -> Finished {
        if let Err(fault) = excerpt::check(&self.stderr, self.redactions.root()) {
            panic!("{fault}\n{self}");
        }
        expected.assert_eq(&self.redacted_stderr());
        self
    }

    /// The same, having printed exactly this, apart from paths and times.
    #[track_caller]
    pub fn prints(self, expected: Expect) -> Finished {
        expected.assert_eq(&self.redacted_stdout());
        self
    }

    /// The same, with a text somewhere on standard error.
    #[track_caller]
    pub fn mentions(self, text: &str) -> Finished {
        assert!(self.redacted_stderr().contains(text), "no `{text}` on standard error\n{self}");
        self
    }

    /// Standard error without what differs from run to run.
    pub fn redacted_stderr(&self) -> String {
        self.redactions.apply(&self.stderr)
    }

    /// Standard output without what differs from run to run.
    pub fn redacted_stdout(&self) -> String {
        self.redactions.apply(&self.stdout)
    }

    /// The events of `--message-format json`.
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
