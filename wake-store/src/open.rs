//! Opening a store: its format, its lease, its scratch space.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::confined::ConfinedPath;
use crate::error::{At, StoreError, optional};
use crate::layout::{FORMAT, FORMER_FORMATS, Layout};
use crate::lease::Lease;
use crate::memo::Memo;
use crate::owners::Owners;
use crate::packs::Packs;
use crate::private::{self, Distrust, make_root};
use crate::session::{Scratch, Session, unique};
use crate::ware::Route;

/// An open store: any number of threads and processes may have it open at once.
///
/// While it is open, nobody else deletes from it. Opening costs about ten system calls; at the first write, scratch
/// space is created and that of dead processes is swept.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    top: ConfinedPath,
    lease: Lease,
    session: Mutex<Option<Arc<Session>>>,
    memo: Memo,
    packs: Packs,
    route: Route,
    is_taken_over: bool,
}

/// Why a directory could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was written by a later version of wake.
    #[error("`{path}` has store format {found}; this version of wake supports format 3")]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// The number of its format.
        found: u32,
    },
    /// Its format file has content that no version of wake has written.
    #[error("`{path}` is not a valid wake store format file")]
    UnknownFormat {
        /// The format file.
        path: PathBuf,
    },
    /// It contains other files and no format file.
    #[error("`{path}` is neither empty nor a wake store")]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// It contains parts of a store and no format file, for example because its removal failed at a read-only
    /// directory.
    #[error("`{path}` is a partly removed wake store")]
    Remains {
        /// The directory.
        path: PathBuf,
    },
    /// It is not a directory.
    #[error("`{path}` is not a directory")]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to somebody else, who thus controls its contents.
    #[error("`{path}` belongs to another user (uid {owner})")]
    OfStranger {
        /// The store, or a directory of it.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others may write to it, and thus control its contents.
    #[error("`{path}` is writable by other users")]
    OpenToOthers {
        /// The store, or a directory of it.
        path: PathBuf,
    },
    /// This user may not write to it.
    #[error("`{path}` is not writable")]
    NotWritable {
        /// The path that is not writable.
        path: PathBuf,
    },
    /// An I/O error.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match error {
            StoreError::Io { path, source }
                if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) =>
            {
                OpenError::NotWritable { path }
            }
            error => OpenError::Store(error),
        }
    }
}

impl From<Distrust> for OpenError {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::OfStranger(path, owner) => OpenError::OfStranger { path, owner },
            Distrust::OpenToOthers(path) => OpenError::OpenToOthers { path },
        }
    }
}

impl Store {
    /// Opens the store at `root`, creating it if it does not exist.
    ///
    /// Waits while a garbage collection is deleting, which takes moments. A directory with other contents is never
    /// modified.
    pub fn open(root: &Path) -> Result<Store, OpenError> {
        Store::open_of(root, &Owners::default())
    }

    /// As [`Store::open`], trusting further owners besides the user and root.
    pub fn open_of(root: &Path, owners: &Owners) -> Result<Store, OpenError> {
        make_root(root).map_err(|error| match nearest_existing(root) {
            Some(path) if !path.is_dir() => OpenError::NotADirectory { path: path.to_owned() },
            _ => OpenError::from(error),
        })?;
        let root = fs::canonicalize(root).at(root)?;
        let top = ConfinedPath::top(&root).at(&root)?;
        let layout = Layout::new(root);
        let writable = rustix::fs::access(&layout.root, rustix::fs::Access::WRITE_OK);
        let writable = writable.at(&layout.root);
        match private::check(&layout, owners) {
            Ok(Some(distrust)) => return Err(distrust.into()),
            Ok(None) => writable?,
            Err(error) => return Err(writable.err().unwrap_or(error).into()),
        }
        let is_taken_over = check_format(&layout)?;
        let lease = Lease::shared(&layout)?;
        let memo = Memo::new(layout.memo.clone());
        let packs = Packs::new(layout.actions.clone());
        let (session, route) = (Mutex::new(None), Route::default());
        Ok(Store { layout, top, lease, session, memo, packs, route, is_taken_over })
    }

    /// Returns the same store with `route` for network access.
    pub fn reaching_by(self, route: Route) -> Store {
        Store { route, ..self }
    }

    /// Returns its route for network access.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Returns whether it was converted from an earlier format when it was opened: then its action records are gone.
    pub fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    /// Returns its root, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// Creates a private directory on the store's file system.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        Scratch::new(self.session()?)
    }

    /// Reserves a private path on the store's file system that does not exist yet; what is created there is removed in
    /// the end, unless it was moved away.
    pub fn place(&self) -> Result<Scratch, StoreError> {
        Ok(Scratch::unmade(self.session()?))
    }

    /// Returns the memo: small values by digest, such as cached evaluations.
    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Writes what was added to the memo since the last flush.
    pub fn flush_memo(&self) -> Result<(), StoreError> {
        self.memo.flush(|| self.session())
    }

    /// Returns where unpacked wares are kept; it may not exist yet.
    pub fn ware_cache_dir(&self) -> PathBuf {
        self.layout.wares.clone()
    }

    /// Returns where the state of runs outside any workspace is kept; it may not exist yet.
    pub fn outside_dir(&self) -> ConfinedPath {
        self.confined(&self.layout.outside)
    }

    /// Returns a path below its root as a confined path.
    pub(crate) fn confined(&self, path: &Path) -> ConfinedPath {
        self.top.join(path.strip_prefix(&self.layout.root).unwrap_or(path))
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn packs(&self) -> &Packs {
        &self.packs
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn session(&self) -> Result<Arc<Session>, StoreError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let started = Arc::new(Session::start(&self.layout)?);
        *session = Some(Arc::clone(&started));
        Ok(started)
    }
}

/// Returns the path itself or its nearest existing parent, where a dangling link counts as existing.
fn nearest_existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok())
}

/// Checks the format; returns whether the store was converted from an earlier format.
fn check_format(layout: &Layout) -> Result<bool, OpenError> {
    let path = &layout.format;
    let Some(text) = optional(fs::read(path).at(path))? else { return make_format(layout) };
    if text == FORMAT.as_bytes() {
        return Ok(false);
    }
    if FORMER_FORMATS.iter().any(|former| text == former.as_bytes()) {
        return take_over(layout).map(|()| true);
    }
    let number = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.strip_prefix("wake-store ")?.strip_suffix('\n')?.parse::<u32>().ok());
    match number {
        Some(found) if found > 3 => {
            Err(OpenError::NewerFormat { path: layout.root.clone(), found })
        }
        _ => Err(OpenError::UnknownFormat { path: path.clone() }),
    }
}

/// Converts a store of an earlier format: action records are removed, so that their actions run once more.
fn take_over(layout: &Layout) -> Result<(), OpenError> {
    let records = &layout.actions;
    optional(fs::remove_dir_all(records).at(records))?;
    write_format(layout)
}

/// Marks an empty directory as a store. Two processes may do so at once: both write the same.
fn make_format(layout: &Layout) -> Result<bool, OpenError> {
    let root = &layout.root;
    let mut is_ours = true;
    let mut is_empty = true;
    for entry in fs::read_dir(root).at(root)? {
        let path = entry.at(root)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name == b"format" {
            return check_format(layout);
        }
        if !name.starts_with(b"format.new-") {
            is_empty = false;
            is_ours &= layout.dirs().contains(&&path) || path == layout.lock || path == layout.gate;
        }
    }
    if is_empty {
        return write_format(layout).map(|()| false);
    }
    // Another process may have finished creating the store since the format file was checked.
    let path = &layout.format;
    match optional(path.symlink_metadata().at(path))? {
        Some(_) => check_format(layout),
        None if is_ours => Err(OpenError::Remains { path: root.to_owned() }),
        None => Err(OpenError::NotAStore { path: root.to_owned() }),
    }
}

fn write_format(layout: &Layout) -> Result<(), OpenError> {
    let new = layout.root.join(format!("format.new-{}", unique()));
    let written = fs::File::create_new(&new).and_then(|mut file| {
        io::Write::write_all(&mut file, FORMAT.as_bytes())?;
        // Once in a store's life: without it, a power cut could leave an empty file, which is not trusted.
        file.sync_all()?;
        fs::rename(&new, &layout.format)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    Ok(written.at(&layout.format)?)
}
