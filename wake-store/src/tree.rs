//! Trees by digest: their paths and their contents.

use std::fs;
use std::path::{Path, PathBuf};

use wake_model::{Manifest, Node, RelPath, TreeDigest};

use crate::action::{note_use, read_with_time};
use crate::corruption::{Corruption, Damage, Lookup};
use crate::error::{At, StoreError, optional};
use crate::open::Store;
use crate::publish::{Durability, publish_file, rename_into};
use crate::record_file::TreeFile;
use crate::removal::remove_file;
use crate::session::unique;
use crate::stamps::{Freshness, Stamps};

/// A tree in the store that has been compared with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTree {
    /// Its absolute path; read-only.
    pub path: PathBuf,
    /// Its contents.
    pub manifest: Manifest,
}

/// Why a path could not be looked up in a tree.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// There is no such tree, or it is corrupt.
    #[error("`{0}` is not in the store")]
    NoTree(TreeDigest),
    /// The tree has no such path.
    #[error("`{path}` is not in tree `{tree}`")]
    NoPath {
        /// The tree.
        tree: TreeDigest,
        /// The path.
        path: RelPath,
    },
    /// Only files have content.
    #[error("`{path}` in tree `{tree}` is not a file")]
    NotAFile {
        /// The tree.
        tree: TreeDigest,
        /// The path.
        path: RelPath,
    },
    /// An I/O error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Returns the path of a tree, whether or not it exists; does not check its contents.
    ///
    /// For outputs, use [`Store::action`], for other trees [`Store::tree`]: those verify.
    pub fn tree_place(&self, digest: &TreeDigest) -> PathBuf {
        self.layout().tree(digest)
    }

    /// Returns whether a tree exists and is unmodified since `stamps` were taken.
    ///
    /// A quick check for callers that keep stamps themselves; false does not prove damage: use [`Store::tree`] or
    /// [`Store::action`] then.
    pub fn is_untouched(&self, digest: &TreeDigest, manifest: &Manifest, stamps: &Stamps) -> bool {
        let path = self.layout().tree(digest);
        stamps.compare(&path, manifest).is_ok_and(|freshness| freshness == Freshness::Untouched)
    }

    /// Returns a tree that no action created, compared with its stamps or, in doubt, hashed.
    ///
    /// Works for every tree, but outputs are cheaper through [`Store::action`], whose record has their stamps; here
    /// they are hashed the first time.
    pub fn tree(&self, digest: &TreeDigest) -> Result<Lookup<StoredTree>, StoreError> {
        let path = self.layout().tree(digest);
        let known = self.layout().manifest(digest);
        let mut before = None;
        if let Some((bytes, used)) = read_with_time(&known)?
            && let Ok(TreeFile { manifest, stamps }) = TreeFile::decode(&bytes, &digest.0)
        {
            match stamps.compare(&path, &manifest)? {
                Freshness::Untouched => {
                    note_use(&known, used);
                    return Ok(Lookup::Hit(StoredTree { path, manifest }));
                }
                Freshness::Absent => {
                    remove_file(&known)?;
                    return Ok(Lookup::Miss);
                }
                Freshness::Doubtful => before = Some(stamps),
            }
        }
        if optional(fs::symlink_metadata(&path).at(&path))?.is_none() {
            return Ok(Lookup::Miss);
        }
        match self.recheck(digest, before.as_ref())? {
            Ok((manifest, stamps)) => {
                // The tree is right even if there is no space to record it.
                let _ = self.put_tree_file(digest, manifest.clone(), stamps);
                Ok(Lookup::Hit(StoredTree { path, manifest }))
            }
            Err(damage) => {
                let corruption = self.quarantine(&path, damage)?;
                remove_file(&known)?;
                Ok(Lookup::Corrupt(corruption))
            }
        }
    }

    /// Returns the contents of a tree; none if it does not exist or is corrupt.
    pub fn manifest(&self, digest: &TreeDigest) -> Result<Option<Manifest>, StoreError> {
        Ok(self.tree(digest)?.hit().map(|tree| tree.manifest))
    }

    /// Returns what is at and below a path of a tree, by paths relative to it.
    pub fn ls(&self, tree: &TreeDigest, path: &RelPath) -> Result<Manifest, BrowseError> {
        let stored = self.tree(tree)?.hit().ok_or(BrowseError::NoTree(*tree))?;
        let no_path = || BrowseError::NoPath { tree: *tree, path: path.clone() };
        stored.manifest.subtree(path).ok_or_else(no_path)
    }

    /// Returns the bytes of one file of a tree.
    pub fn cat(&self, tree: &TreeDigest, path: &RelPath) -> Result<Vec<u8>, BrowseError> {
        let stored = self.tree(tree)?.hit().ok_or(BrowseError::NoTree(*tree))?;
        match stored.manifest.get(path) {
            Some(Node::File { .. }) => {
                let file = stored.path.join(path.as_str());
                Ok(fs::read(&file).at(&file)?)
            }
            Some(_) => Err(BrowseError::NotAFile { tree: *tree, path: path.clone() }),
            None if stored.manifest.subtree(path).is_some() => {
                Err(BrowseError::NotAFile { tree: *tree, path: path.clone() })
            }
            None => Err(BrowseError::NoPath { tree: *tree, path: path.clone() }),
        }
    }

    /// Records the contents of a tree that no action created.
    pub(crate) fn put_tree_file(
        &self,
        digest: &TreeDigest,
        manifest: Manifest,
        stamps: Stamps,
    ) -> Result<(), StoreError> {
        let bytes = TreeFile { manifest, stamps }.encode(&digest.0);
        let place = self.layout().manifest(digest);
        publish_file(&*self.session()?, &place, &bytes, Durability::Noticed)
    }

    /// Moves something corrupt out of the way, keeping it for inspection.
    pub(crate) fn quarantine(&self, path: &Path, damage: Damage) -> Result<Corruption, StoreError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kept = self.layout().quarantine.join(format!("{name}-{}", unique()));
        // An ordinary user can move a directory only if it is writable.
        let _ = rustix::fs::chmod(path, rustix::fs::Mode::RWXU);
        let kept = optional(rename_into(path, &kept).at(path))?.map(|()| kept);
        Ok(Corruption { path: path.to_owned(), damage, kept })
    }
}
