//! Blobs, read through one long-running process.

use super::GitError;
use crate::ware::archive::{Content, ExtractError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running `git cat-file --batch`.
pub(super) struct Objects {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Objects {
    /// Starts the process with `git`, which is set up for its repository.
    pub(super) fn open(mut git: Command) -> Result<Self, GitError> {
        let mut child = git
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| GitError::Run { source })?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(ask), Some(answer)) => Ok(Self { child, ask, answer: BufReader::new(answer) }),
            _ => Err(GitError::Run { source: io::Error::other("its pipes are missing") }),
        }
    }

    /// Starts reading a blob; the caller reads it to its end and calls [`Blob::finish`].
    pub(super) fn blob(&mut self, object: &str) -> Result<Blob<'_>, GitError> {
        let failed = |source| GitError::Run { source };
        writeln!(self.ask, "{object}").and_then(|()| self.ask.flush()).map_err(failed)?;
        let mut head = String::new();
        self.answer.read_line(&mut head).map_err(failed)?;
        match head.trim_end().split(' ').collect::<Vec<_>>()[..] {
            [_, "blob", size] if size.parse::<u64>().is_ok() => {
                Ok(Blob { left: size.parse().unwrap_or(0), answer: &mut self.answer })
            }
            _ => Err(GitError::Malformed {
                commit: object.to_owned(),
                problem: "a blob is missing".to_owned(),
            }),
        }
    }

    /// Returns a blob as the target of a link; none if it cannot be one.
    pub(super) fn text(&mut self, object: &str) -> Result<Option<String>, GitError> {
        let mut blob = self.blob(object)?;
        if blob.left > 4096 {
            return Ok(None);
        }
        let mut bytes = vec![0; blob.left as usize];
        blob.answer.read_exact(&mut bytes).map_err(|source| GitError::Run { source })?;
        blob.left = 0;
        blob.finish()?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.contains('\0')))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It exits by itself when its input ends; killing it saves the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A blob that is being read.
pub(super) struct Blob<'a> {
    /// The remaining bytes.
    pub(super) left: u64,
    answer: &'a mut BufReader<ChildStdout>,
}

impl Blob<'_> {
    /// Skips to the end of the object, which git marks with a newline.
    pub(super) fn finish(mut self) -> Result<(), GitError> {
        let mut rest = [0u8; 8192];
        while self.read(&mut rest)? > 0 {}
        self.answer.read_exact(&mut [0]).map_err(|source| GitError::Run { source })
    }
}

impl Content for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self
            .answer
            .read(&mut buffer[..most])
            .map_err(|source| ExtractError::Source { source })?;
        if n == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(ExtractError::Truncated { offset: 0 });
        }
        self.left -= n as u64;
        Ok(n)
    }
}
