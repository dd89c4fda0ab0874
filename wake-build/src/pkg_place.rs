//! Where a package lies, and what a person calls it for that.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use wake_model::{PkgKey, RelPath, TreeDigest};
use wake_steps::SourceBase;
use wake_store::StoredTree;

/// Where the files of a package lie. It enters no key: the same files are the same package anywhere.
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
    /// Who it is.
    pub(crate) key: PkgKey,
    /// Its tree.
    pub(crate) tree: TreeDigest,
    /// Where that lies, and what is in it.
    pub(crate) stored: StoredTree,
    /// Whether it was fetched just now, so that what its registry says of it is still to be compared.
    pub(crate) is_new: bool,
}

impl PkgPlace {
    /// What the package is called: `//libs/zlib`, or `acme/zlib@1.3.1`.
    pub(crate) fn label(&self) -> String {
        match self {
            PkgPlace::Checkout(dir) => ["//", dir.as_str()].concat(),
            PkgPlace::Store(pkg) => pkg.key.label(),
        }
    }

    /// What a module of it is called: `//libs/zlib:lib`.
    pub(crate) fn module_label(&self, module: &str) -> String {
        [&*self.label(), ":", module].concat()
    }

    /// What a person calls a file of it: `libs/zlib/PKG.libsonnet`, from the root of the workspace.
    pub(crate) fn file_label(&self, file: &str) -> String {
        match self {
            PkgPlace::Checkout(dir) if dir.is_root() => file.to_owned(),
            PkgPlace::Checkout(dir) => [dir.as_str(), "/", file].concat(),
            PkgPlace::Store(_) => [&*self.label(), "/", file].concat(),
        }
    }

    /// Its directory in the checkout, if it has one.
    pub(crate) fn dir(&self) -> Option<&RelPath> {
        match self {
            PkgPlace::Checkout(dir) => Some(dir),
            PkgPlace::Store(_) => None,
        }
    }

    /// Where the paths of its files start, for steps.
    pub(crate) fn source_base(&self) -> SourceBase {
        match self {
            PkgPlace::Checkout(dir) => SourceBase::Dir(dir.clone()),
            PkgPlace::Store(pkg) => SourceBase::Tree(pkg.tree),
        }
    }
}

impl StoredPkg {
    /// What tells it from others.
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
