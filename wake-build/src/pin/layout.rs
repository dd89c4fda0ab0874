//! What lies where below a command's working directory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use wake_model::{BlobDigest, InputNode, RelPath, TreeDigest};

/// Everything that a command finds in its working directory, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    placed: BTreeMap<RelPath, Placed>,
    /// Whether one of them is a whole directory.
    has_trees: bool,
    /// Bytes of files of the checkout that are held.
    held: usize,
}

/// So many bytes of files of the checkout are held: what is more is read again by who needs it.
const MOST_HELD: usize = 1 << 20;

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
    /// A file of the checkout.
    Checkout(CheckoutFile),
    /// Given here.
    Bytes(Vec<u8>),
    /// In a tree of the store, at this path of it.
    Store(TreeDigest, RelPath, Origin),
    /// It has none: a link, an empty directory.
    Nothing,
}

/// A file of the checkout among the inputs of a command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CheckoutFile {
    /// The directory of its package, relative to the workspace's root; or that root itself.
    pub dir: RelPath,
    /// Its path from there.
    pub below: RelPath,
    /// Bytes.
    pub size: u64,
    /// The bytes themselves, where they were just read.
    pub bytes: Option<Vec<u8>>,
}

impl Placed {
    /// Lets go of the bytes of a file of the checkout if they are more than `room`; says how many there are now.
    fn hold(&mut self, room: usize) -> usize {
        let PlacedSource::Checkout(CheckoutFile { bytes, .. }) = &mut self.source else { return 0 };
        *bytes = bytes.take().filter(|bytes| bytes.len() <= room);
        bytes.as_ref().map_or(0, Vec::len)
    }
}

impl CheckoutFile {
    /// Its path, relative to the workspace's root.
    pub(crate) fn path(&self) -> RelPath {
        self.dir.join(&self.below)
    }
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
        let (here, placed) =
            path.ancestors().find_map(|here| Some((here, self.placed.get(here)?)))?;
        let below = path.as_str()[here.len()..].trim_start_matches('/');
        Some((placed, RelPath::parse(below).unwrap_or_default()))
    }

    /// Whether the file `path` of the package at `dir` lies at the same path here; `path` may be any text.
    pub(super) fn has_file_of(&self, dir: &RelPath, path: &str) -> bool {
        let source = self.placed.get(path).map(|placed| &placed.source);
        matches!(source, Some(PlacedSource::Checkout(file))
            if file.dir == *dir && file.below.as_str() == path)
    }

    /// What lies at exactly this path.
    pub(super) fn get(&self, path: &RelPath) -> Option<&Placed> {
        self.placed.get(path)
    }

    /// Puts something at `path`; the same thing twice is fine.
    ///
    /// A whole directory takes the place of what was put below it before, and what would come to lie
    /// below it later is part of it already: all of these come from the same tree.
    pub(crate) fn place(
        &mut self,
        path: RelPath,
        mut placed: Placed,
    ) -> Result<(), LayoutConflict> {
        if self.has_trees && self.below_a_tree(&path) {
            return Ok(());
        }
        let is_tree = matches!(placed.node, InputNode::Tree(_));
        match self.placed.entry(path) {
            Entry::Occupied(there) if there.get().node == placed.node => return Ok(()),
            Entry::Occupied(there) => return Err(LayoutConflict(there.key().clone())),
            Entry::Vacant(free) if is_tree => {
                let path = free.key().clone();
                free.insert(placed);
                self.placed.retain(|at, _| *at == path || !at.starts_with(&path));
                self.has_trees = true;
            }
            Entry::Vacant(free) => {
                self.held += placed.hold(MOST_HELD - self.held);
                free.insert(placed);
            }
        }
        Ok(())
    }

    /// Puts bytes that wake made at `path`, whatever lies there.
    pub(crate) fn place_bytes(&mut self, path: &RelPath, bytes: Vec<u8>, executable: bool) {
        let node = InputNode::File { blob: BlobDigest::of(&bytes), executable };
        self.placed.insert(path.clone(), Placed { node, source: PlacedSource::Bytes(bytes) });
    }

    fn below_a_tree(&self, path: &RelPath) -> bool {
        let is_tree = |dir: &str| {
            matches!(self.placed.get(dir), Some(Placed { node: InputNode::Tree(_), .. }))
        };
        path.ancestors().skip(1).any(is_tree)
    }
}
