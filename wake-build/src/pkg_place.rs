//! The place of a package, and the labels that follow from it.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use wake_model::{PkgKey, RelPath, TreeDigest};
use wake_steps::SourceBase;
use wake_store::StoredTree;

/// The place of a package's files. It is part of no key: the same files are the same package anywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PkgPlace {
    /// In this directory of the checkout.
    Checkout(RelPath),
    /// In the store, where they never change.
    Store(Arc<StoredPkg>),
}

/// A package in the store.
#[derive(Debug)]
pub(crate) struct StoredPkg {
    /// Its key.
    pub(crate) key: PkgKey,
    /// Its tree.
    pub(crate) tree: TreeDigest,
    /// The tree's path and content.
    pub(crate) stored: StoredTree,
    /// Whether it was just fetched, so that its registry's metadata still has to be compared.
    pub(crate) is_new: bool,
}

impl PkgPlace {
    /// Returns the label of the package: `//libs/zlib`, or `acme/zlib@1.3.1`.
    pub(crate) fn label(&self) -> String {
        match self {
            PkgPlace::Checkout(dir) => ["//", dir.as_str()].concat(),
            PkgPlace::Store(pkg) => pkg.key.label(),
        }
    }

    /// Returns the label of a module: `//libs/zlib:lib`.
    pub(crate) fn module_label(&self, module: &str) -> String {
        [&*self.label(), ":", module].concat()
    }

    /// Returns the name of a file for messages: `libs/zlib/PKG.libsonnet`, relative to the root of the workspace.
    pub(crate) fn file_label(&self, file: &str) -> String {
        match self {
            PkgPlace::Checkout(dir) if dir.is_root() => file.to_owned(),
            PkgPlace::Checkout(dir) => [dir.as_str(), "/", file].concat(),
            PkgPlace::Store(_) => [&*self.label(), "/", file].concat(),
        }
    }

    /// Returns its directory in the checkout, if it has one.
    pub(crate) fn dir(&self) -> Option<&RelPath> {
        match self {
            PkgPlace::Checkout(dir) => Some(dir),
            PkgPlace::Store(_) => None,
        }
    }

    /// Returns the base of its files' paths, for steps.
    pub(crate) fn source_base(&self) -> SourceBase {
        match self {
            PkgPlace::Checkout(dir) => SourceBase::Dir(dir.clone()),
            PkgPlace::Store(pkg) => SourceBase::Tree(pkg.tree),
        }
    }
}

impl StoredPkg {
    /// Returns its identity, for comparison.
    fn identity(&self) -> (&PkgKey, &TreeDigest) {
        (&self.key, &self.tree)
    }
}

impl PartialEq for StoredPkg {
    fn eq(&self, other: &StoredPkg) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for StoredPkg {}

impl PartialOrd for StoredPkg {
    fn partial_cmp(&self, other: &StoredPkg) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for StoredPkg {
    fn cmp(&self, other: &StoredPkg) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for StoredPkg {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
