//! The root file system of an exec: the host's, none, or a tree that was made, packed or lies in a package.

mod choice;
mod import;

use serde::{Deserialize, Serialize};
use wake_model::{RelPath, RootFs, TreeDigest};

use super::Done;

/// A root file system with where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// What it is; part of the key.
    pub(crate) fs: RootFs,
    /// Where it lies, if it is a tree.
    pub(crate) made: Option<MadeRoot>,
}

/// A root file system that is a tree of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MadeRoot {
    /// What it was made from.
    pub(crate) origin: RootOrigin,
    /// The tree.
    pub(crate) tree: TreeDigest,
    /// The directory in it.
    pub(crate) below: RelPath,
}

/// What a root file system was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RootOrigin {
    /// It is a directory that this step left.
    Step(usize),
    /// A ware with this id, which says what is in it.
    Ware,
    /// These files of the checkout, relative to the workspace's root.
    Files(Vec<RelPath>),
    /// An archive that a step left.
    Archive,
}

impl Root {
    /// The host's, or none.
    pub(super) fn plain(fs: RootFs) -> Root {
        Root { fs, made: None }
    }

    /// A whole tree of the store.
    pub(crate) fn of_tree(tree: TreeDigest, origin: RootOrigin) -> Root {
        let made = MadeRoot { origin, tree, below: RelPath::root() };
        Root { fs: RootFs::Tree(tree), made: Some(made) }
    }
}

/// The directory at a path of a step's outputs as a root file system; none if it is no directory.
pub(crate) fn root_in(done: &Done, step: usize, below: &RelPath) -> Option<Root> {
    let part = done.manifest.subtree(below).filter(|_| done.manifest.get(below).is_none())?;
    let made = MadeRoot { origin: RootOrigin::Step(step), tree: done.tree, below: below.clone() };
    Some(Root { fs: RootFs::Tree(part.digest()), made: Some(made) })
}
