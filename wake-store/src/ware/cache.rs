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

/// A directory of unpacked wares: `ROOT/<packtype>/fileset/aaa/bbb/HASH`, each with a seal beside `fileset`. Where an id
/// leaves out what tells two trees apart, the second one has a part of its `tree` id after `HASH`.
///
/// A tree appears under its id by one rename, after its data is on disk. Many processes may use one cache. A tree that
/// somebody has altered is not handed out.
#[derive(Clone, Debug)]
pub struct WareCache {
    root: PathBuf,
}

/// So many digits of the id of all that was received tell two trees apart that came under one id.
const VARIANT: usize = 24;

/// An unpacked ware in a cache.
pub(crate) struct LyingWare {
    /// Where it lies.
    pub(crate) place: PathBuf,
    /// The `tree` id of everything that was received.
    pub(crate) received: WareId,
}

/// How a ware lies in a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    /// Not at all.
    Absent,
    /// As it was put there.
    Untouched,
    /// Altered, or put there by somebody who did not seal it: it counts as absent.
    Altered,
}

impl WareCache {
    /// The cache at `root`, which is created when something is put into it.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where the first tree that came as `ware` lies if it is in the cache.
    pub fn place(&self, ware: &WareId) -> PathBuf {
        shard(&self.root.join(ware.packtype().as_ref()).join("fileset"), ware.hash())
    }

    /// Where a tree lies that came as `ware` and is another than the first: its id leaves out what tells the two apart.
    fn other_place(&self, ware: &WareId, received: &WareId) -> PathBuf {
        let digits = received.hash().get(..VARIANT).unwrap_or(received.hash());
        self.place(ware).with_file_name(format!("{}.{digits}", ware.hash()))
    }

    /// How `ware` lies in the cache for whoever asks `sources` for it.
    pub fn state(&self, ware: &WareId, sources: &[Warehouse]) -> Cached {
        self.find(ware, sources, &Meter::default()).0
    }

    /// Finds what `sources` have sent as `ware`, with the `tree` id of all that was received: looks at every node of it, and
    /// notes that it is used. One `lstat` a node, and its bytes if any of these differs.
    ///
    /// Where the id leaves nodes out, nobody is given what others than `sources` have sent.
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
        // Somebody else put it there, or took its seal away.
        let unsealed = seal_of(&first).is_some_and(|seal| Seal::read(&seal).is_none());
        let altered = unsealed && first.symlink_metadata().is_ok();
        (if altered { Cached::Altered } else { Cached::Absent }, None)
    }

    /// The places beside `first` where something has come as the same ware.
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
        // Another process may just be putting it there; and two should not read it.
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

    /// Makes a directory in the cache's file system to unpack into.
    pub(crate) fn stage(&self) -> Result<Stage, CacheError> {
        Stage::new(&self.root, "unpack")
    }

    /// Moves the tree of `stage` to a place of `ware`, seals it and gives that place. If another process was faster, its
    /// tree stays; one that was altered goes. `tree`: the id of all that the stage holds, where that is known; `received`: that of
    /// all that came from `sources`.
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
        // What was altered goes with the stage.
        match rename_new(&place, &stage.path().join("altered")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let sealed =
            Seal::of(&stage.root(), tree, received, claim).and_then(|new| new.write(&seal));
        sealed.and_then(|()| rename_new(&stage.root(), &place)).map_err(failed)?;
        Ok(place)
    }

    /// Held while a tree and its seal are put in their places, one after the other. Who waits for it can be stopped.
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

/// Where the seal of the ware at `ROOT/<packtype>/fileset/aaa/bbb/HASH` lies: `seal` stands for `fileset`.
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
    /// What the system said.
    pub source: io::Error,
}

/// A directory under a temporary name that disappears with its owner.
pub(crate) struct Stage {
    path: PathBuf,
}

impl Stage {
    /// Makes `DIR/.tmp.<what>.<guid>`, with `DIR` if needed.
    pub(crate) fn new(dir: &Path, what: &str) -> Result<Self, CacheError> {
        let path = dir.join(format!(".tmp.{what}.{}", new_guid()));
        fs::create_dir_all(dir)
            .and_then(|()| fs::create_dir(&path))
            .map_err(|source| CacheError { path: path.clone(), source })?;
        Ok(Self { path })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the tree's root is written.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.join(super::disk::ROOT)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = remove_whatever(&self.path);
    }
}
