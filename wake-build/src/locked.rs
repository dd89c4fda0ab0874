//! Packages that `wake.lock` names: read once, from the root of the workspace, when something asks for one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wake_model::lock::LockError;
use wake_model::{BlobDigest, LOCK_FILE, Lock, LockedPkg, PkgKey, PkgRequest, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::error::store_failure;
use wake_store::{Lookup, Store};

use crate::files::{FileError, FileState, Files, read_at_most};
use crate::pkg_place::{PkgPlace, StoredPkg};
use crate::sources::LARGEST;

/// The packages that a workspace has locked, and those of them that were opened.
#[derive(Default)]
pub(crate) struct LockedPkgs {
    read: OnceLock<Result<LockText, Box<Diagnostic>>>,
    opened: Mutex<BTreeMap<PkgKey, Arc<StoredPkg>>>,
}

/// The lock as it was read.
struct LockText {
    lock: Lock,
    text: String,
    digest: BlobDigest,
}

impl LockedPkgs {
    /// The package that `request` means. It must be locked, and its content in the store.
    pub(crate) fn find(
        &self,
        request: &PkgRequest,
        files: &Files,
        store: &Store,
    ) -> Result<PkgPlace, Box<Diagnostic>> {
        let read = self.read.get_or_init(|| LockText::read(files)).as_ref();
        let lock = read.map_err(Clone::clone)?;
        let locked = lock.lock.find(request).ok_or_else(|| lock.not_locked(request))?;
        let LockedPkg { name, version, content, .. } = locked;
        let key = locked.key();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pkg) = opened.get(&key) {
            return Ok(PkgPlace::Store(pkg.clone()));
        }
        let stored = match store.tree(content).map_err(store_failure)? {
            Lookup::Hit(stored) => stored,
            Lookup::Miss => return Err(lock.not_here(locked)),
            Lookup::Corrupt(corruption) => {
                let message = format!("{name} {version} is not what it was: {corruption}");
                let diagnostic = Diagnostic::error(Class::Integrity, message);
                return Err(Box::new(diagnostic.help(PUT_IT_THERE)));
            }
        };
        let pkg = Arc::new(StoredPkg { key: key.clone(), tree: *content, stored });
        opened.insert(key, pkg.clone());
        Ok(PkgPlace::Store(pkg))
    }

    /// The digest of the lock, if it was read.
    pub(crate) fn digest(&self) -> Option<BlobDigest> {
        self.read.get()?.as_ref().ok().map(|lock| lock.digest)
    }

    /// Whether the lock, as it was read, has a package of this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        let lock = self.read.get().and_then(|read| read.as_ref().ok());
        lock.is_some_and(|read| read.lock.iter().any(|pkg| pkg.key().as_str() == key))
    }

    /// Where the package at `place` stands in the lock.
    pub(crate) fn written_at(&self, place: &PkgPlace) -> Option<Place> {
        let PkgPlace::Store(pkg) = place else { return None };
        let lock = self.read.get()?.as_ref().ok()?;
        let content = pkg.tree.to_string();
        let (number, line) =
            lock.text.lines().enumerate().find(|(_, line)| line.ends_with(&content))?;
        Some(at(&lock.text, number + 1, 1, line.chars().count() + 1))
    }
}

const PUT_IT_THERE: &str = "`wake store import DIR` puts a directory with its files into the store";

impl LockText {
    fn read(files: &Files) -> Result<LockText, Box<Diagnostic>> {
        let failed = |message: String| Box::new(Diagnostic::error(Class::Environment, message));
        let path = RelPath::parse(LOCK_FILE).unwrap_or_default();
        let not_seen = |error: FileError| match error.source.kind() {
            ErrorKind::FileTooLarge => {
                let message = format!("`{LOCK_FILE}` has more than {} MiB", LARGEST >> 20);
                Box::new(Diagnostic::error(Class::Resolution, message))
            }
            _ => failed(error.to_string()),
        };
        let seen = files.look_at_source(&PkgPlace::Checkout(RelPath::root()), &path);
        let digest = match seen.map_err(not_seen)? {
            FileState::File { blob, .. } => blob,
            FileState::Absent => {
                let message = format!("there is no `{LOCK_FILE}` that says what it is");
                let help = "name where it lies: `from='./path'` or `from=wake.GLOBAL`";
                return Err(Box::new(Diagnostic::error(Class::Resolution, message).help(help)));
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
            let message = format!("`{LOCK_FILE}` is not valid UTF-8");
            Diagnostic::error(Class::Resolution, message)
        })?;
        let lock = Lock::parse(&text).map_err(|error| {
            let LockError { line, columns, fault } = error;
            let place = at(&text, line, columns.start, columns.end);
            Diagnostic::error(Class::Resolution, fault.to_string()).at(Some(place))
        })?;
        Ok(LockText { lock, text, digest })
    }

    fn not_locked(&self, request: &PkgRequest) -> Box<Diagnostic> {
        let (name, wanted) = (request.pkg_name(), &request.version);
        let message = format!("`{LOCK_FILE}` has no `{name}` that is {wanted}");
        let locked = self.lock.of_registries(&name).map(|pkg| pkg.version.to_string());
        let locked: Vec<String> = locked.collect();
        let help = format!("lock a version: add a line `{name} VERSION REGISTRY CONTENT`");
        let diagnostic = Diagnostic::error(Class::Resolution, message).help(help);
        Box::new(match locked.is_empty() {
            true => diagnostic,
            false => diagnostic.note(format!("locked are {}", locked.join(", "))),
        })
    }

    fn not_here(&self, locked: &LockedPkg) -> Box<Diagnostic> {
        let LockedPkg { name, version, source, content } = locked;
        let message = format!("{name} {version} is locked, and the store does not have it");
        let diagnostic = Diagnostic::error(Class::Network, message)
            .note(format!("its content is {content}, from the registry `{source}`"));
        Box::new(diagnostic.help(PUT_IT_THERE))
    }
}

/// Columns of a line of the lock.
fn at(text: &str, line: usize, column: usize, end_column: usize) -> Place {
    let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    Place { file: LOCK_FILE.to_owned(), line, column, end_column, source_line, label: None }
}
