//! The tree that layers form, stored as a ware: each file is written once and never read again.

use super::archive::ExtractError;
use super::bucket::Bucket;
use super::cache::{CacheError, WareCache};
use super::disk::{Ownership, declare};
use super::entry_path::EntryPath;
use super::layers::{LayeredNode, LayeredTree, Layers};
use super::meter::Meter;
use super::node::{Coverage, Meta, Node};
use super::policy::ArchivePolicy;
use rustix::fs::{CWD, FileType, Mode};
use std::collections::BTreeMap;
use std::path::Path;
use wake_model::ware::{PackType, WareId};

/// A tree that was stored in a cache.
#[derive(Debug)]
pub struct LaidWare {
    /// Its `tree` id, without devices and attributes, which no root ware contains.
    pub ware: WareId,
    /// All nodes according to the layers.
    pub nodes: BTreeMap<EntryPath, LayeredNode>,
}

/// Why a tree could not be stored in a cache.
#[derive(Debug, thiserror::Error)]
pub enum LayError<E> {
    /// The callback failed.
    #[error("{0}")]
    Layers(E),
    /// The tree could not be written.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl WareCache {
    /// Stores the tree of the layers that `lay` applies, with the declared owners as far as this process can set them;
    /// `meter` may stop the operation.
    pub fn keep_layers<E>(
        &self,
        policy: ArchivePolicy,
        meter: &Meter,
        lay: impl FnOnce(&mut Layers<'_>) -> Result<(), E>,
    ) -> Result<LaidWare, LayError<E>> {
        let stage = self.stage()?;
        let mut layers = Layers::new(stage.path(), policy, meter);
        lay(&mut layers).map_err(LayError::Layers)?;
        let LayeredTree { root, nodes } = layers.finish()?;
        let mut bucket = Bucket::default();
        let mut ownership = Ownership::Kept;
        let conjured = (EntryPath::root(), Meta::conjured());
        let root_is_said = nodes.contains_key(&EntryPath::root());
        let said =
            nodes.iter().filter_map(|(path, node)| Some((path, kept(&node.meta)?, node.content())));
        for (path, meta, content) in said {
            // Layers contain no path twice and none below a file.
            let _ = bucket.add(path, meta, content);
        }
        // The contents of a directory before the directory itself: it may be closed to its owner, and has a time.
        let said =
            nodes.iter().rev().filter_map(|(path, node)| Some((path.clone(), kept(&node.meta)?)));
        for (path, meta) in said.chain((!root_is_said).then_some(conjured)) {
            let place = if path.is_root() { root.clone() } else { root.join(path.as_str()) };
            let failed = |source| ExtractError::Write { path: place.clone(), source };
            let owned = make(&place, &meta).and_then(|()| declare(&place, &meta));
            if owned.map_err(|errno| failed(errno.into()))? == Ownership::Mine {
                ownership = Ownership::Mine;
            }
        }
        let ware = WareId::new(PackType::Tree, bucket.root_hash(Coverage::EveryNode));
        let tree = (ownership == Ownership::Kept).then(|| ware.clone());
        self.commit(&stage, &ware, tree, ware.clone(), &[], meter)?;
        Ok(LaidWare { ware, nodes })
    }
}

/// Returns the part of a node that a root ware contains: no devices, which a sandbox provides itself, and no
/// attributes.
fn kept(meta: &Meta) -> Option<Meta> {
    match meta.node {
        Node::CharDevice { .. } | Node::BlockDevice { .. } => None,
        _ => Some(Meta { xattrs: BTreeMap::new(), ..meta.clone() }),
    }
}

/// Layers leave the creation of pipes to the caller.
fn make(place: &Path, meta: &Meta) -> Result<(), rustix::io::Errno> {
    match meta.node {
        Node::Fifo => rustix::fs::mknodat(CWD, place, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::archive::TarWriter;
    use super::super::filters::{PackFilters, UnpackFilters};
    use super::super::node::{DEFAULT_TIME, Timestamp};
    use super::super::pack::pack;
    use super::super::unpack::scan;
    use super::super::warehouse::Warehouse;
    use super::super::{Cached, write_layer};
    use super::*;

    fn meta(node: Node, perms: u16, [uid, gid]: [u32; 2]) -> Meta {
        let mtime = Timestamp { seconds: DEFAULT_TIME + 7, nanos: 5 };
        Meta { node, perms, uid, gid, mtime, xattrs: BTreeMap::new() }
    }

    fn tar(entries: &[(&str, Meta, &str)]) -> Vec<u8> {
        let mut tar = TarWriter::new(Vec::new());
        for (path, meta, text) in entries {
            tar.entry(&EntryPath::parse(path.as_bytes()).unwrap(), meta).unwrap();
            if !text.is_empty() {
                tar.content(text.as_bytes()).unwrap();
            }
        }
        tar.finish().unwrap()
    }

    #[test]
    fn layers_give_the_same_ware_as_an_archive_of_their_tree() {
        let dir = tempfile::tempdir().unwrap();
        let mine = [rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()];
        let mut ping = meta(Node::File { size: 3 }, 0o755, mine);
        ping.xattrs.insert("security.capability".to_owned(), vec![1, 0, 0, 2]);
        let link = |target: &str| Node::Symlink { target: target.to_owned() };
        let lower = tar(&[
            ("bin", meta(Node::Dir, 0o500, mine), ""),
            ("bin/ping", ping, "abc"),
            ("bin/hard", meta(Node::Hardlink { target: "bin/ping".to_owned() }, 0o755, mine), ""),
            ("gone/x", meta(Node::File { size: 1 }, 0o644, mine), "x"),
            ("null", meta(Node::CharDevice { major: 1, minor: 3 }, 0o666, mine), ""),
            ("pipe", meta(Node::Fifo, 0o640, mine), ""),
        ]);
        let upper = tar(&[
            ("gone/.wh.x", meta(Node::File { size: 0 }, 0o644, mine), ""),
            ("lib", meta(link("usr/lib"), 0o777, mine), ""),
            ("empty", meta(Node::File { size: 0 }, 0o600, mine), ""),
        ]);
        let meter = Meter::default();
        let cache = WareCache::new(&dir.path().join("cache"));
        let laid = cache.keep_layers(ArchivePolicy::IMAGE, &meter, |layers| {
            layers.lay(&*lower)?;
            layers.lay(&*upper).map(drop)
        });
        let LaidWare { ware, nodes } = laid.map_err(|error: LayError<ExtractError>| error).unwrap();
        assert_eq!(cache.state(&ware, &[]), Cached::Untouched);
        let place = cache.place(&ware);
        // Read back from the disk, it is the same.
        assert_eq!(pack(&place, PackType::Tree, PackFilters::LOSSLESS, None).unwrap(), ware);
        // So it is as an archive of the same entries.
        let entries = nodes.iter().filter_map(|(path, node)| {
            let file = place.join(path.as_str());
            let file = matches!(node.meta.node, Node::File { .. }).then_some(file);
            Some((path.clone(), (kept(&node.meta)?, file)))
        });
        let packed = dir.path().join("packed");
        let bytes = write_layer(&entries.collect(), Vec::new()).unwrap();
        std::fs::write(&packed, bytes).unwrap();
        let (filters, policy) = (UnpackFilters::LOSSLESS, ArchivePolicy::IMAGE);
        let scanned = scan(PackType::Tree, &Warehouse::File(packed), filters, policy, &meter);
        assert_eq!(scanned.unwrap(), ware);
        assert!(!place.join("null").exists() && !place.join("gone/x").exists());
        assert!(place.join("gone").is_dir());
    }
}
