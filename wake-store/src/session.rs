//! The scratch space of living processes.
//!
//! Each process that writes owns one directory below `tmp/` and holds a lock on it. The kernel releases the lock when
//! the process dies, however it dies, and the next process that writes sweeps what it left.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use crate::clock;
use crate::error::{At, StoreError, optional};
use crate::layout::Layout;
use crate::removal::{make_dir_all, remove_tree};

/// This process's directory below `tmp/`.
#[derive(Debug)]
pub(crate) struct Session {
    path: PathBuf,
    /// Holds the lock.
    _dir: File,
    next: AtomicU64,
}

impl Session {
    /// Sweeps the directories of dead processes, then creates one for this process.
    pub(crate) fn start(layout: &Layout) -> Result<Self, StoreError> {
        let tmp = &layout.tmp;
        make_dir_all(tmp)?;
        sweep(tmp)?;
        loop {
            if let Some(session) = Session::try_start(tmp)? {
                return Ok(session);
            }
        }
    }

    /// None if a sweeping process removed the directory before it was locked.
    fn try_start(tmp: &Path) -> Result<Option<Self>, StoreError> {
        let path = tmp.join(format!("{}-{}", std::process::id(), unique()));
        fs::create_dir(&path).at(&path)?;
        let Some(dir) = optional(File::open(&path).at(&path))? else { return Ok(None) };
        rustix::io::retry_on_intr(|| flock(&dir, FlockOperation::LockExclusive)).at(&path)?;
        let removed = dir.metadata().at(&path)?.nlink() == 0;
        Ok((!removed).then_some(Session { path, _dir: dir, next: AtomicU64::new(0) }))
    }

    /// Returns a path that nothing else uses; nothing is created.
    pub(crate) fn fresh_path(&self) -> PathBuf {
        self.path.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next process.
        let _ = remove_tree(&self.path);
    }
}

/// Removes the leftovers of dead processes.
pub(crate) fn sweep(tmp: &Path) -> Result<(), StoreError> {
    let Some(entries) = optional(fs::read_dir(tmp).at(tmp))? else { return Ok(()) };
    for entry in entries {
        let path = entry.at(tmp)?.path();
        let Some(dir) = optional(File::open(&path).at(&path))? else { continue };
        if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // Files in it that belong to others, such as the users of a container engine, must not be an obstacle.
            let _ = remove_tree(&path);
        }
    }
    Ok(())
}

/// Returns eight random bytes in hexadecimal.
pub(crate) fn unique() -> String {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(bytes.len()) {
        // Names only need to differ, and collisions are detected: the clock will do.
        bytes = (clock::since_1970().as_nanos() as u64).to_le_bytes();
    }
    format!("{:016x}", u64::from_le_bytes(bytes))
}

/// A private directory in the store, on the same file system; removed when dropped.
///
/// It may contain anything, including read-only directories.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Whether there is nothing to remove.
    gone: bool,
    /// Outlives every scratch directory in it.
    _session: Arc<Session>,
}

impl Scratch {
    pub(crate) fn new(session: Arc<Session>) -> Result<Self, StoreError> {
        let path = session.fresh_path();
        fs::create_dir(&path).at(&path)?;
        Ok(Scratch { path, gone: false, _session: session })
    }

    /// Returns a private path that does not exist: the caller creates what it needs there.
    pub(crate) fn unmade(session: Arc<Session>) -> Self {
        Scratch { path: session.fresh_path(), gone: false, _session: session }
    }

    /// Returns its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Releases a directory that [`Store::adopt_tree`](crate::Store::adopt_tree) has adopted.
    pub fn taken(mut self) {
        self.gone = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.gone {
            // A failure leaves litter at worst: the end of the session or the next process sweeps it.
            let _ = remove_tree(&self.path);
        }
    }
}
