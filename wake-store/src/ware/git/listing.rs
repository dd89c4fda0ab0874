//! The paths of a tree, as listed by `git`: a few untrusted objects can name very many.

use super::GitError;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The maximum length of a line; longer paths are refused in any case.
const LONGEST: u64 = 64 << 10;

/// A running `git ls-tree`, line by line.
pub(super) struct Listing {
    child: Child,
    lines: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Listing {
    /// Lists all trees and files below `commit` with `git`, which is set up for its repository.
    pub(super) fn of(mut git: Command, commit: &str) -> Result<Self, GitError> {
        git.args(["ls-tree", "-r", "-t", "-z", "--full-tree", commit]);
        let child = git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|source| GitError::Run { source })?;
        let Some(lines) = child.stdout.take() else {
            return Err(GitError::Run { source: io::Error::other("its pipe is missing") });
        };
        Ok(Self { child, lines: BufReader::with_capacity(64 << 10, lines), line: Vec::new() })
    }

    /// Returns the next line without its terminator; none after the last.
    pub(super) fn next(&mut self, commit: &str) -> Result<Option<&[u8]>, GitError> {
        let failed = |source| GitError::Run { source };
        let malformed = |problem: &str| GitError::Malformed {
            commit: commit.to_owned(),
            problem: problem.to_owned(),
        };
        self.line.clear();
        let mut limited = self.lines.by_ref().take(LONGEST);
        limited.read_until(0, &mut self.line).map_err(failed)?;
        match self.line.pop() {
            None if self.child.wait().map_err(failed)?.success() => Ok(None),
            None => Err(malformed("its tree cannot be listed")),
            Some(0) => Ok(Some(&self.line)),
            Some(_) => Err(malformed("its tree has an unterminated path")),
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        // If its output was not read to the end, it is still writing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
