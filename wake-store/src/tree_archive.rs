//! Trees that come as archives.

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

/// An archive did not become a tree.
#[derive(Debug, thiserror::Error)]
pub enum ReadArchiveError {
    /// It is another tree than the one that was asked for.
    #[error("it holds {came}")]
    Mismatch {
        /// What it holds.
        came: TreeDigest,
    },
    /// The archive was not taken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// What was unpacked is not what was put there.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Puts a tree aside that is what its name says, and that nobody is to use.
    pub fn put_aside(&self, tree: &TreeDigest) -> Result<(), StoreError> {
        remove_file(&self.layout().manifest(tree))?;
        self.quarantine(&self.tree_place(tree), Damage::Content).map(drop)
    }

    /// Takes a directory of this process's own, outside of which nobody knows it, as a tree: what lies there is moved.
    pub fn take_tree(&self, root: &Path) -> Result<TreeDigest, ReadArchiveError> {
        Ok(self.taken(root, None)?.0)
    }

    /// Measures what lies at `root` and moves it into the store, if it is what `asked` says.
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

    /// Unpacks an archive of a package as the tree that it is to be; what holds anything else is dropped, and nobody has seen it.
    ///
    /// The digest is of the bytes that lie on the disk. `meter` counts what is read, and may stop it.
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
