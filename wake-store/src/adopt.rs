//! Adopts a finished directory as a tree: it is moved, not copied.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Mode, Stat, Timespec, Timestamps, UTIME_NOW, chmodat, fchmod, futimens, statat,
    utimensat,
};
use wake_model::{Manifest, Node, TreeDigest};

use crate::corruption::{Corruption, Damage};
use crate::error::{At, StoreError};
use crate::listing::{
    EntryKind, ListError, ListedEntry, Listing, TREE_MTIME, has_tree_mtime, mode_of,
};
use crate::measure::{link_target, measure};
use crate::open::Store;
use crate::publish::rename_into;
use crate::removal::remove_tree;
use crate::stamps::{Stamps, file_mode};

const DIR_MODE: u32 = 0o555;
const TREE_TIME: Timespec = Timespec { tv_sec: TREE_MTIME, tv_nsec: 0 };

/// A tree that has been adopted into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its digest.
    pub tree: TreeDigest,
    /// The stamps to compare it with at its next use.
    pub stamps: Stamps,
    /// The corrupt tree of the same name that it replaced, if any.
    pub replaced: Option<Corruption>,
}

/// Why a directory could not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The directory's contents differ from the manifest.
    #[error("`{path}` {problem}")]
    NotAsDeclared {
        /// The entry that differs.
        path: PathBuf,
        /// How it differs.
        problem: String,
    },
    /// An I/O error of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ListError> for AdoptError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => AdoptError::Store(error),
            ListError::Foreign { path, what } => {
                AdoptError::NotAsDeclared { path, problem: format!("contains {what}") }
            }
        }
    }
}

impl Store {
    /// Moves `dir` into the store as the tree that `manifest` describes.
    ///
    /// `dir` must be on the store's file system (a [`Scratch`](crate::Scratch) is), have exactly the contents of the
    /// manifest, with files that were hashed as they were written there, and be in nobody else's use. Modes become
    /// 0444, 0555 for executables and directories, times [`TREE_MTIME`]. If the tree exists already and is right, `dir`
    /// is removed; if it exists and is corrupt, it is quarantined. Nothing is fsynced: the stamps make the next use
    /// detect losses of a power cut. Costs about ten system calls and two to four per node.
    pub fn adopt_tree(&self, dir: &Path, manifest: &Manifest) -> Result<Adopted, AdoptError> {
        let tree = manifest.digest();
        let mut listing = Listing::read(dir)?;
        check(&listing, manifest)?;
        finalise(&mut listing, manifest)?;
        let place = self.layout().tree(&tree);
        let mut replaced = None;
        // A second iteration happens only if an existing tree had to be moved aside.
        loop {
            match rename_into(dir, &place) {
                Ok(()) => {
                    // Only now: moving a directory into another one requires write permission on it.
                    fchmod(&listing.dir, Mode::from_raw_mode(DIR_MODE)).at(&place)?;
                    return Ok(Adopted { tree, stamps: Stamps::of(&listing), replaced });
                }
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(StoreError::new(&place, error).into()),
            }
            match self.recheck(&tree, None)? {
                Ok((_, stamps)) => {
                    remove_tree(dir)?;
                    return Ok(Adopted { tree, stamps, replaced });
                }
                Err(damage) => replaced = Some(self.quarantine(&place, damage)?),
            }
        }
    }

    /// Hashes an existing tree: returns its contents with new stamps, or how it is corrupt.
    ///
    /// `before` are the stamps that did not match, if there were any.
    pub(crate) fn recheck(
        &self,
        tree: &TreeDigest,
        before: Option<&Stamps>,
    ) -> Result<Result<(Manifest, Stamps), Damage>, StoreError> {
        let place = self.layout().tree(tree);
        let read = Listing::read(&place)
            .and_then(|listing| measure(&listing).map(|manifest| (listing, manifest)));
        let (mut listing, manifest) = match read {
            Ok(read) => read,
            Err(error) => return error.into_damage().map(Err),
        };
        if manifest.digest() != *tree {
            return Ok(Err(Damage::Content));
        }
        finalise(&mut listing, &manifest)?;
        fchmod(&listing.dir, Mode::from_raw_mode(DIR_MODE)).at(&place)?;
        Ok(Ok((manifest, Stamps::renewed(&listing, before))))
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// Compares names, kinds, sizes and link targets; the file contents are the caller's responsibility.
fn check(listing: &Listing, manifest: &Manifest) -> Result<(), AdoptError> {
    let mut parents = HashSet::new();
    let mut matched = 0;
    // In reverse order, so that a directory comes after its contents.
    for found in listing.entries.iter().rev() {
        match (found.kind, manifest.get(&found.path)) {
            (EntryKind::Dir, None) if parents.contains(&found.path) => {}
            (EntryKind::Dir, Some(Node::Dir)) => matched += 1,
            (EntryKind::File, Some(Node::File { size, .. }))
                if found.stat.st_size as u64 == *size =>
            {
                matched += 1;
            }
            (EntryKind::Link, Some(Node::Link { target }))
                if link_target(listing, found)? == *target =>
            {
                matched += 1;
            }
            (_, None) => return Err(differs(listing, found, "is not in the manifest")),
            (_, Some(_)) => return Err(differs(listing, found, "differs from the manifest")),
        }
        parents.extend(found.path.parent().filter(|parent| !parent.is_root()));
    }
    if matched == manifest.len() {
        return Ok(());
    }
    let present: HashSet<_> = listing.entries.iter().map(|found| &found.path).collect();
    let missing = manifest.iter().find(|(path, _)| !present.contains(path));
    let missing = missing.map_or_else(String::new, |(path, _)| path.as_str().to_owned());
    let path = listing.path.join(missing);
    Err(AdoptError::NotAsDeclared { path, problem: "is missing".to_owned() })
}

fn differs(listing: &Listing, found: &ListedEntry, problem: &str) -> AdoptError {
    let path = listing.path.join(found.path.as_str());
    AdoptError::NotAsDeclared { path, problem: problem.to_owned() }
}

/// Sets modes and times where they are not right yet; everything but the mode of the root.
fn finalise(listing: &mut Listing, manifest: &Manifest) -> Result<(), StoreError> {
    let Listing { path, dir, root, entries } = listing;
    for found in entries {
        let mode = match (found.kind, manifest.get(&found.path)) {
            (EntryKind::File, Some(Node::File { executable, .. })) => Some(file_mode(*executable)),
            (EntryKind::Dir, _) => Some(DIR_MODE),
            _ => None,
        };
        if let Some(stat) =
            settle(dir, found.path.as_str(), mode, &found.stat).below(path, found.path.as_str())?
        {
            found.stat = stat;
        }
    }
    if !has_tree_mtime(root) {
        // The root's access time is its last use, which garbage collection reads.
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: TREE_TIME };
        futimens(&*dir, &times).at(path)?;
    }
    Ok(())
}

/// Returns the new status of an entry, if anything had to be set.
fn settle(
    dir: &rustix::fd::OwnedFd,
    at: &str,
    mode: Option<u32>,
    stat: &Stat,
) -> rustix::io::Result<Option<Stat>> {
    let wrong_mode = mode.filter(|mode| mode_of(stat) != *mode);
    if let Some(mode) = wrong_mode {
        chmodat(dir, at, Mode::from_raw_mode(mode), AtFlags::empty())?;
    }
    if !has_tree_mtime(stat) {
        let times = Timestamps { last_access: TREE_TIME, last_modification: TREE_TIME };
        utimensat(dir, at, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    } else if wrong_mode.is_none() {
        return Ok(None);
    }
    statat(dir, at, AtFlags::SYMLINK_NOFOLLOW).map(Some)
}
