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
/// While it is open nobody else deletes from it. Opening costs about ten system calls; scratch space is
/// made, and that of dead processes swept, at the first write.
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

/// A directory could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later wake has written it.
    #[error("`{path}` has store format {found}; this wake knows format 3")]
    NewerFormat {
        /// The store.
        path: PathBuf,
        /// Its format's number.
        found: u32,
    },
    /// Its format file says nothing that any wake has written.
    #[error("`{path}` is not a format file of a wake store")]
    UnknownFormat {
        /// The format file.
        path: PathBuf,
    },
    /// It holds other things and no format file.
    #[error("`{path}` is neither empty nor a wake store")]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// It holds a part of a store and no format file, as where removing it broke off at a directory that is read-only.
    #[error("`{path}` is what is left of a wake store")]
    Remains {
        /// The directory.
        path: PathBuf,
    },
    /// Something else than a directory is in its place.
    #[error("`{path}` is not a directory")]
    NotADirectory {
        /// What lies there.
        path: PathBuf,
    },
    /// Somebody else owns it, and so says what is found there.
    #[error("`{path}` belongs to another user (number {owner})")]
    OfStranger {
        /// The store, or a directory of it.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
    },
    /// Others may write to it, and so say what is found there.
    #[error("others may write to `{path}`")]
    OpenToOthers {
        /// The store, or a directory of it.
        path: PathBuf,
    },
    /// This user may not write there.
    #[error("`{path}`: not writable")]
    NotWritable {
        /// What may not be written.
        path: PathBuf,
    },
    /// The disk failed.
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
    /// Opens the store at `root`, making it if there is nothing yet.
    ///
    /// Waits while a garbage collection is deleting, which takes moments. A directory that holds anything
    /// else is never touched.
    pub fn open(root: &Path) -> Result<Store, OpenError> {
        Store::open_of(root, &Owners::default())
    }

    /// The same, where more than one's own and root's is believed.
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

    /// The same store, for which what lies on other machines is fetched by `route`.
    pub fn reaching_by(self, route: Route) -> Store {
        Store { route, ..self }
    }

    /// How what lies on other machines is fetched for it.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Whether it was of an earlier format until it was opened: then its records of actions are gone.
    pub fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    /// Where it lies, absolute and without links.
    pub fn root(&self) -> &Path {
        &self.layout.root
    }

    /// A new directory of one's own on the store's file system.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        Scratch::new(self.session()?)
    }

    /// A place of one's own on the store's file system at which nothing lies yet; what is made there is removed in the
    /// end unless it was moved away.
    pub fn place(&self) -> Result<Scratch, StoreError> {
        Ok(Scratch::unmade(self.session()?))
    }

    /// Small values by digest, such as remembered evaluations.
    pub fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Writes what the memo was given since it was last flushed.
    pub fn flush_memo(&self) -> Result<(), StoreError> {
        self.memo.flush(|| self.session())
    }

    /// Where unpacked wares are kept; may not exist yet.
    pub fn ware_cache_dir(&self) -> PathBuf {
        self.layout.wares.clone()
    }

    /// Where the state of what is run outside any workspace is kept; may not exist yet.
    pub fn outside_dir(&self) -> ConfinedPath {
        self.confined(&self.layout.outside)
    }

    /// A path below its root, held to what lies there.
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

/// The path itself or the nearest above it where anything is, if only a link that leads nowhere.
fn nearest_existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.symlink_metadata().is_ok())
}

/// Says whether the store was taken over from an earlier format.
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

/// Makes a store of an earlier format one of this: records of actions go, so that their actions run once more.
fn take_over(layout: &Layout) -> Result<(), OpenError> {
    let records = &layout.actions;
    optional(fs::remove_dir_all(records).at(records))?;
    write_format(layout)
}

/// Marks an empty directory as a store. Two processes may do it at once: both write the same.
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
    // Another process may have finished making the store since the format file was looked for.
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
        // Once in a store's life: without it, a power cut could leave an empty file, which nobody trusts.
        file.sync_all()?;
        fs::rename(&new, &layout.format)
    });
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    Ok(written.at(&layout.format)?)
}
