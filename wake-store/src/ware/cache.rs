//! Unpacked wares, kept by their ids.

use super::guid::new_guid;
use super::meter::{Meter, MeterStopped};
use super::relocation::rename_new;
use super::seal::{Claim, Seal, note_use};
use super::waiting::GLANCE;
use super::warehouse::{Warehouse, shard};
use crate::removal::remove_whatever;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use wake_model::ware::WareId;

/// A directory of unpacked wares: `ROOT/<packtype>/fileset/aaa/bbb/HASH`, each with a seal beside `fileset`. If an id
/// does not distinguish two trees, the second one has a part of its `tree` id after `HASH`.
///
/// A tree appears under its id by one rename, after its data is on disk. Many processes may use one cache. A tree that
/// was altered is not used.
#[derive(Clone, Debug)]
pub struct WareCache {
    root: PathBuf,
}

/// How many digits of the `tree` id of everything received distinguish two trees with the same id.
const VARIANT: usize = 24;

/// An unpacked ware in a cache.
pub(crate) struct LyingWare {
    /// Its path.
    pub(crate) place: PathBuf,
    /// The `tree` id of everything that was received.
    pub(crate) received: WareId,
}

/// The state of a ware in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// It is not there.
    Absent,
    /// It is unmodified.
    Untouched,
    /// It was altered, or put there by a program that did not seal it: it counts as absent.
    Altered,
}

impl WareCache {
    /// Returns the cache at `root`, which is created when something is added to it.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Returns the path of the first tree received as `ware`, if it is in the cache.
    pub fn place(&self, ware: &WareId) -> PathBuf {
        shard(&self.root.join(ware.packtype().as_ref()).join("fileset"), ware.hash())
    }

    /// Returns the path of a tree received as `ware` that differs from the first: its id does not distinguish the two.
    fn other_place(&self, ware: &WareId, received: &WareId) -> PathBuf {
        let digits = received.hash().get(..VARIANT).unwrap_or(received.hash());
        self.place(ware).with_file_name(format!("{}.{digits}", ware.hash()))
    }

    /// Returns the state of `ware` in the cache for a request to `sources`.
    pub fn state(&self, ware: &WareId, sources: &[Warehouse]) -> Cached {
        self.find(ware, sources, &Meter::default()).0
    }

    /// Finds what `sources` have sent as `ware`, with the `tree` id of everything received: checks every node of it,
    /// and records the use. One `lstat` per node, and its content if any of these differs.
    ///
    /// If the id leaves out nodes, trees sent by other sources are not returned.
    pub(crate) fn find(
        &self,
        ware: &WareId,
        sources: &[Warehouse],
        meter: &Meter,
    ) -> (Cached, Option<LyingWare>) {
        let claim = Claim::of(sources);
        let first = self.place(ware);
        let others = self.others(&first);
        for place in std::iter::once(first.clone()).chain(others) {
            let sealed = seal_of(&place).and_then(|seal| Seal::read(&seal));
            let Some(received) = sealed.filter(|seal| seal.answers(ware, claim)) else { continue };
            let received = received.received().clone();
            return match self.state_at(&place, meter) {
                Cached::Untouched => (Cached::Untouched, Some(LyingWare { place, received })),
                other => (other, None),
            };
        }
        // It was put there by another program, or its seal was removed.
        let unsealed = seal_of(&first).is_some_and(|seal| Seal::read(&seal).is_none());
        let altered = unsealed && first.symlink_metadata().is_ok();
        (if altered { Cached::Altered } else { Cached::Absent }, None)
    }

    /// Returns the paths beside `first` of other trees received as the same ware.
    fn others(&self, first: &Path) -> Vec<PathBuf> {
        let (Some(dir), Some(name)) = (first.parent(), first.file_name()) else {
            return Vec::new();
        };
        let lead = format!("{}.", name.to_string_lossy());
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let is_other =
            |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&lead);
        let mut others: Vec<PathBuf> = entries.filter(is_other).map(|entry| entry.path()).collect();
        others.sort_unstable();
        others
    }

    fn state_at(&self, place: &Path, meter: &Meter) -> Cached {
        let Some(seal) = seal_of(place) else { return Cached::Absent };
        let is_whole = || Seal::read(&seal).is_some_and(|seal| seal.is_whole(place));
        if place.symlink_metadata().is_err() {
            return Cached::Absent;
        }
        if is_whole() {
            note_use(&seal);
            return Cached::Untouched;
        }
        // Another process may be putting it there right now; and two should not read it.
        let Ok(_lock) = self.lock(meter) else { return Cached::Altered };
        if place.symlink_metadata().is_err() {
            return Cached::Absent;
        }
        if is_whole() {
            return Cached::Untouched;
        }
        match Seal::read(&seal).and_then(|old| old.renewed(place)) {
            Some(new) if new.write(&seal).is_ok() => Cached::Untouched,
            _ => Cached::Altered,
        }
    }

    /// Creates a directory in the cache's file system for unpacking.
    pub(crate) fn stage(&self) -> Result<Stage, CacheError> {
        Stage::new(&self.root, "unpack")
    }

    /// Moves the tree of `stage` to a path of `ware`, seals it and returns that path. If another process was faster,
    /// its tree stays; an altered tree is removed. `tree` is the id of everything in the stage, if known; `received` is
    /// that of everything received from `sources`.
    pub(crate) fn commit(
        &self,
        stage: &Stage,
        ware: &WareId,
        tree: Option<WareId>,
        received: WareId,
        sources: &[Warehouse],
        meter: &Meter,
    ) -> Result<PathBuf, CacheError> {
        let (place, claim) = (self.place(ware), Claim::of(sources));
        let failed = |source| CacheError { path: place.clone(), source };
        let dir = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(dir).map_err(failed)?;
        let stage_dir = File::open(stage.path()).map_err(failed)?;
        rustix::fs::syncfs(&stage_dir).map_err(|errno| failed(errno.into()))?;
        let _lock = self.lock(meter)?;
        let came_otherwise = |place: &Path| {
            let seal = seal_of(place).and_then(|seal| Seal::read(&seal));
            seal.is_some_and(|seal| *seal.received() != received)
        };
        let place = match came_otherwise(&place) {
            true => self.other_place(ware, &received),
            false => place,
        };
        let failed = |source| CacheError { path: place.clone(), source };
        let Some(seal) = seal_of(&place) else { return Ok(place) };
        if let Some(there) = Seal::read(&seal).filter(|seal| seal.is_whole(&place)) {
            if let Some(more) = there.with_claim(claim) {
                more.write(&seal).map_err(failed)?;
            }
            return Ok(place);
        }
        // An altered tree is removed with the stage.
        match rename_new(&place, &stage.path().join("altered")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let sealed =
            Seal::of(&stage.root(), tree, received, claim).and_then(|new| new.write(&seal));
        sealed.and_then(|()| rename_new(&stage.root(), &place)).map_err(failed)?;
        Ok(place)
    }

    /// Held while a tree and its seal are moved into place, one after the other. Waiting for it can be stopped.
    fn lock(&self, meter: &Meter) -> Result<File, CacheError> {
        let path = self.root.join(".lock");
        let failed = |source| CacheError { path: path.clone(), source };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if meter.is_stopped() => {
                    return Err(failed(io::Error::other(MeterStopped)));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(GLANCE),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }
}

/// Returns the path of the seal of the ware at `ROOT/<packtype>/fileset/aaa/bbb/HASH`, with `seal` in place of
/// `fileset`.
pub(crate) fn seal_of(place: &Path) -> Option<PathBuf> {
    let parts: Vec<_> = place.components().rev().take(3).collect();
    let mut seal = place.ancestors().nth(4)?.join("seal");
    seal.extend(parts.into_iter().rev());
    Some(seal)
}

/// The ware cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("ware cache `{}` cannot be used: {source}", path.display())]
pub struct CacheError {
    /// The path in the cache.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

/// A directory under a temporary name that is removed on drop.
pub(crate) struct Stage {
    path: PathBuf,
}

impl Stage {
    /// Creates `DIR/.tmp.<what>.<guid>`, and `DIR` if needed.
    pub(crate) fn new(dir: &Path, what: &str) -> Result<Self, CacheError> {
        let path = dir.join(format!(".tmp.{what}.{}", new_guid()));
        fs::create_dir_all(dir)
            .and_then(|()| fs::create_dir(&path))
            .map_err(|source| CacheError { path: path.clone(), source })?;
        Ok(Self { path })
    }

    /// Returns the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the tree's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.join(super::disk::ROOT)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = remove_whatever(&self.path);
    }
}
