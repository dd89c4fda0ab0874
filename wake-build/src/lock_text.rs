//! `wake.lock` as it is on disk, possibly with merge conflicts.

use std::io::ErrorKind;

use wake_model::lock::LockError;
use wake_model::{BlobDigest, LOCK_FILE, Lock, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic, Place};

use crate::files::{FileError, FileState, Files, read_at_most};
use crate::pkg_place::PkgPlace;
use crate::sources::LARGEST;

/// The lock as it was read.
pub(crate) struct LockText {
    /// Its content.
    pub(crate) lock: Lock,
    /// Its text.
    pub(crate) text: String,
    /// Its digest; none if there is no such file.
    pub(crate) digest: Option<BlobDigest>,
    /// The line of the first conflict.
    pub(crate) conflict: Option<usize>,
}

impl LockText {
    /// Reads the lock at the root of the workspace.
    pub(crate) fn read(files: &Files) -> Result<LockText, Box<Diagnostic>> {
        let failed = |message: String| Box::new(Diagnostic::error(Class::Environment, message));
        let path = RelPath::parse(LOCK_FILE).unwrap_or_default();
        let not_seen = |error: FileError| match error.source.kind() {
            ErrorKind::FileTooLarge => {
                let message = format!("`{LOCK_FILE}` is larger than {} MiB", LARGEST >> 20);
                Box::new(Diagnostic::error(Class::Resolution, message))
            }
            _ => failed(error.to_string()),
        };
        let seen = files.look_at_source(&PkgPlace::Checkout(RelPath::root()), &path);
        let digest = match seen.map_err(not_seen)? {
            FileState::File { blob, .. } => blob,
            FileState::Absent => {
                let (lock, text) = (Lock::default(), String::new());
                return Ok(LockText { lock, text, digest: None, conflict: None });
            }
            FileState::Link(_) | FileState::Dir | FileState::Other => {
                let message = format!("`{LOCK_FILE}` is not a regular file");
                return Err(Box::new(Diagnostic::error(Class::Resolution, message)));
            }
        };
        let bytes = read_at_most(&files.absolute(&path), LARGEST);
        let Some(bytes) = bytes.filter(|bytes| BlobDigest::of(bytes) == digest) else {
            return Err(failed(format!("`{LOCK_FILE}` changed while it was read")));
        };
        let text = String::from_utf8(bytes).map_err(|_| {
            let message = format!("`{LOCK_FILE}` is not UTF-8");
            Diagnostic::error(Class::Resolution, message)
        })?;
        let (lock, conflict) = Lock::parse_merged(&text).map_err(|error| {
            let LockError { line, columns, fault } = error;
            let place = at(&text, line, columns.start, columns.end);
            Diagnostic::error(Class::Resolution, fault.to_string()).at(Some(place))
        })?;
        Ok(LockText { lock, text, digest: Some(digest), conflict })
    }

    /// Returns the warning about the first conflict.
    pub(crate) fn told_conflict(&self, files: &Files) -> Option<Diagnostic> {
        let line = self.conflict?;
        let length = self.text.lines().nth(line - 1).map_or(1, |line| line.chars().count());
        let message = format!("merge conflict in `{LOCK_FILE}`");
        let diagnostic = Diagnostic::error(Class::Resolution, message)
            .at(Some(at(&self.text, line, 1, length + 1)))
            .note("the lines of both sides are used")
            .help("run `wake lock` to resolve it");
        let attributes = RelPath::parse(".gitattributes").unwrap_or_default();
        let attributes = read_at_most(&files.absolute(&attributes), LARGEST).unwrap_or_default();
        let is_union = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some(LOCK_FILE) && words.any(|word| word == "merge=union")
        };
        Some(match String::from_utf8_lossy(&attributes).lines().any(is_union) {
            true => diagnostic,
            false => diagnostic.help(format!(
                "put `{LOCK_FILE} merge=union` in `.gitattributes` to have git merge it without conflicts"
            )),
        })
    }
}

/// Returns a place in a line of the lock.
pub(crate) fn at(text: &str, line: usize, column: usize, end_column: usize) -> Place {
    let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    Place { file: LOCK_FILE.to_owned(), line, column, end_column, source_line, label: None }
}
