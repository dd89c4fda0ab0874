//! What lies where below a command's working directory.

use std::collections::BTreeMap;

use wake_model::{BlobDigest, InputNode, RelPath, TreeDigest};

/// Everything that a command finds in its working directory, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    placed: BTreeMap<RelPath, Placed>,
}

/// One thing at one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    /// What it is; part of the action's key.
    pub node: InputNode,
    /// Where its bytes are to be had.
    pub source: PlacedSource,
}

/// Where the bytes of an input are to be had on this machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PlacedSource {
    /// A file of the checkout, relative to the workspace's root.
    Checkout(RelPath, u64),
    /// Given here.
    Bytes(Vec<u8>),
    /// In a tree of the store, at this path of it.
    Store(TreeDigest, RelPath, Origin),
    /// It has none: a link, an empty directory.
    Nothing,
}

/// What a tree of the store came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// The step of this number.
    Step(usize),
    /// These files of the checkout, relative to the workspace's root.
    Files(Vec<RelPath>),
}

/// Two different things would lie at one path.
#[derive(Debug, thiserror::Error)]
#[error("two different things would lie at `{}`", .0.dotted())]
pub(crate) struct LayoutConflict(pub RelPath);

impl Layout {
    /// Everything, sorted by path.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RelPath, &Placed)> {
        self.placed.iter()
    }

    /// What lies at `path` or is a whole directory above it, and the way on inside that.
    pub(crate) fn covering(&self, path: &RelPath) -> Option<(&Placed, RelPath)> {
        let mut at = Some(path.clone());
        while let Some(here) = at {
            if let Some(placed) = self.placed.get(&here) {
                return Some((placed, path.strip(&here)?));
            }
            at = here.parent();
        }
        None
    }

    /// Puts something at `path`; the same thing twice is fine.
    ///
    /// A whole directory takes the place of what was put below it before, and what would come to lie
    /// below it later is part of it already: all of these come from the same tree.
    pub(crate) fn place(&mut self, path: RelPath, placed: Placed) -> Result<(), LayoutConflict> {
        if self.below_a_tree(&path) {
            return Ok(());
        }
        if let Some(there) = self.placed.get(&path) {
            let same = there.node == placed.node;
            return if same { Ok(()) } else { Err(LayoutConflict(path)) };
        }
        if matches!(placed.node, InputNode::Tree(_)) {
            self.placed.retain(|at, _| !at.starts_with(&path));
        }
        self.placed.insert(path, placed);
        Ok(())
    }

    /// Puts bytes that wake made at `path`, whatever lies there.
    pub(crate) fn place_bytes(&mut self, path: &RelPath, bytes: Vec<u8>, executable: bool) {
        let node = InputNode::File { blob: BlobDigest::of(&bytes), executable };
        self.placed.insert(path.clone(), Placed { node, source: PlacedSource::Bytes(bytes) });
    }

    fn below_a_tree(&self, path: &RelPath) -> bool {
        let mut at = path.parent();
        while let Some(dir) = at {
            if let Some(Placed { node: InputNode::Tree(_), .. }) = self.placed.get(&dir) {
                return true;
            }
            at = dir.parent();
        }
        false
    }
}
