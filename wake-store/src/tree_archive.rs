//! Reads trees from archives.

use std::io::Read;
use std::path::Path;

use wake_model::{Manifest, TreeDigest};

use crate::adopt::AdoptError;
use crate::corruption::Damage;
use crate::error::StoreError;
use crate::listing::Listing;
use crate::measure::measure;
use crate::open::Store;
use crate::removal::remove_file;
use crate::tree::StoredTree;
use crate::ware::{ArchivePolicy, ExtractError, Meter, extract_bare};

/// Why an archive did not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum ReadArchiveError {
    /// It contains another tree than the requested one.
    #[error("it contains {came}")]
    Mismatch {
        /// The tree it contains.
        came: TreeDigest,
    },
    /// The archive was refused.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The unpacked directory changed meanwhile.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// An I/O error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Moves aside a tree that matches its name but must not be used.
    pub fn put_aside(&self, tree: &TreeDigest) -> Result<(), StoreError> {
        remove_file(&self.layout().manifest(tree))?;
        self.quarantine(&self.tree_place(tree), Damage::Content).map(drop)
    }

    /// Adopts a directory that only this process knows as a tree: its contents are moved.
    pub fn take_tree(&self, root: &Path) -> Result<TreeDigest, ReadArchiveError> {
        Ok(self.taken(root, None)?.0)
    }

    /// Measures what is at `root` and moves it into the store, if it is the tree `asked`.
    fn taken(
        &self,
        root: &Path,
        asked: Option<&TreeDigest>,
    ) -> Result<(TreeDigest, Manifest), ReadArchiveError> {
        let listing = Listing::read(root).map_err(AdoptError::from)?;
        let manifest = measure(&listing).map_err(AdoptError::from)?;
        drop(listing);
        let came = manifest.digest();
        if asked.is_some_and(|asked| came != *asked) {
            return Err(ReadArchiveError::Mismatch { came });
        }
        let adopted = self.adopt_tree(root, &manifest)?;
        self.put_tree_file(&adopted.tree, manifest.clone(), adopted.stamps)?;
        Ok((adopted.tree, manifest))
    }

    /// Unpacks a package archive as the tree that it must be; if it contains anything else, it is dropped before
    /// anybody can see it.
    ///
    /// The digest is that of the bytes on the disk. `meter` counts the bytes read, and may stop the operation.
    pub fn read_archive(
        &self,
        source: impl Read,
        asked: &TreeDigest,
        meter: &Meter,
    ) -> Result<StoredTree, ReadArchiveError> {
        let scratch = self.scratch()?;
        let root = extract_bare(source, scratch.path(), ArchivePolicy::PACKAGE, meter)?;
        let (tree, manifest) = self.taken(&root, Some(asked))?;
        Ok(StoredTree { path: self.tree_place(&tree), manifest })
    }
}
