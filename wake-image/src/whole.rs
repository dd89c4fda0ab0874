//! The whole file system of an image, as a command gets it that may write to it: with owners, modes and times.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, WareId};
use wake_store::ware::{
    ArchivePolicy, Cached, EntryPath, LayerEntry, LayeredTree, Meta, Node, PackType, Unpack,
    UnpackFilters, WareCache, Warehouse, scan, write_layer,
};

use crate::error::{ImageError, at};
use crate::images::{Image, Images};

/// Who owns what in the file system of an image, and which programs run as their owner: what an ordinary user cannot have on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Permission bits, user and group, by path; of what belongs to user 0 without such bits nothing is said.
    nodes: BTreeMap<String, (u16, u32, u32)>,
}

/// The bits by which a program runs as its owner or its group.
const SET_ID: u16 = 0o6000;

impl Declared {
    fn of(tree: &LayeredTree) -> Declared {
        let special = tree.nodes.iter().filter_map(|(path, node)| {
            let meta = &node.meta;
            let is_plain = (meta.uid, meta.gid) == (0, 0) && meta.perms & SET_ID == 0;
            (!is_plain).then(|| (path.to_string(), (meta.perms, meta.uid, meta.gid)))
        });
        Declared { nodes: special.collect() }
    }

    /// Whose something at `path` is.
    pub fn owner(&self, path: &str) -> [u32; 2] {
        self.nodes.get(path).map_or([0, 0], |(_, uid, gid)| [*uid, *gid])
    }

    /// The bits at `path` by which a program runs as its owner or its group.
    pub fn set_id(&self, path: &str) -> u16 {
        self.nodes.get(path).map_or(0, |(perms, ..)| perms & SET_ID)
    }
}

impl Images<'_> {
    /// The files of an image as a ware that lies unpacked in the cache of the store: with owners, modes and times, hard links as
    /// files of their own, without devices and attributes. An ordinary user cannot have all owners on disk: [`Images::declared`] says whose they are.
    ///
    /// An image whose ware is there costs a look at each of its files.
    pub fn ware(&self, image: &Image) -> Result<WareId, ImageError> {
        let cache = WareCache::new(&self.store.ware_cache_dir());
        let key = key("ware", &image.digest.to_string());
        let known = self.store.memo().get(&key).and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(ware) = known.and_then(|text| text.parse::<WareId>().ok())
            && self.declared(&ware).is_some()
            && cache.state(&ware, &[]) == Cached::Untouched
        {
            return Ok(ware);
        }
        let scratch = self.store.scratch()?;
        let tree = self.laid(image, scratch.path())?;
        let packed = scratch.path().join("packed");
        let file = BufWriter::new(at(&packed, File::create_new(&packed))?);
        let mut written = write_layer(&entries(&tree), file)?;
        at(&packed, written.flush())?;
        let failed = |source| {
            let image = image.name.clone();
            ImageError::Unpack { image, source: Box::new(source) }
        };
        let (packtype, source) = (PackType::Tree, Warehouse::File(packed));
        let (filters, policy) = (UnpackFilters::LOSSLESS, ArchivePolicy::IMAGE);
        let ware = scan(packtype, &source, filters, policy, self.meter).map_err(failed)?;
        let sources = [source];
        let unpack =
            Unpack { ware: &ware, sources: &sources, filters, cache: Some(&cache), policy };
        unpack.into_cache(self.meter).map_err(failed)?;
        let declared = serde_json::to_vec(&Declared::of(&tree)).unwrap_or_default();
        let blob = self.store.put_blob(&declared)?;
        let memo = self.store.memo();
        memo.put(self::key("declared", &ware.to_string()), blob.0.as_bytes().to_vec());
        memo.put(key, ware.to_string().into_bytes());
        Ok(ware)
    }

    /// What an image says of the files of its ware.
    pub fn declared(&self, ware: &WareId) -> Option<Declared> {
        let bytes = self.store.memo().get(&key("declared", &ware.to_string()))?;
        let blob = BlobDigest(Digest::from_bytes(bytes.try_into().ok()?));
        serde_json::from_slice(&self.store.blob(&blob).ok()??).ok()
    }
}

/// Under which something about images is remembered. Source: `spec/store-layout.md`, the memo.
fn key(what: &str, of: &str) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(3);
        encoder.text("image");
        encoder.text(what);
        encoder.text(of);
    })
}

/// All of it but devices, which a sandbox brings itself, and attributes, which no ware has.
fn entries(tree: &LayeredTree) -> BTreeMap<EntryPath, LayerEntry> {
    let nodes = tree.nodes.iter().filter_map(|(path, node)| {
        let place = match node.meta.node {
            Node::CharDevice { .. } | Node::BlockDevice { .. } => return None,
            Node::File { .. } => Some(tree.root.join(path.as_str())),
            _ => None,
        };
        let meta = Meta { xattrs: BTreeMap::new(), ..node.meta.clone() };
        Some((path.clone(), (meta, place)))
    });
    nodes.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_store::ware::{Layers, Meter};

    use super::*;
    use crate::layer::layer_meta;

    #[test]
    fn a_root_has_neither_devices_nor_attributes_and_what_it_cannot_have_is_declared() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let at = |path: &str| EntryPath::parse(path.as_bytes()).unwrap();
        let mut ping = layer_meta(Node::File { size: 1 }, 0o4755, [0, 7]);
        ping.xattrs.insert("security.capability".to_owned(), vec![1, 0, 0, 2]);
        let null = layer_meta(Node::CharDevice { major: 1, minor: 3 }, 0o666, [0, 0]);
        let layer = BTreeMap::from([(at("null"), (null, None)), (at("ping"), (ping, Some(file)))]);
        let bytes = write_layer(&layer, Vec::new()).unwrap();
        let stage = dir.path().join("stage");
        std::fs::create_dir(&stage).unwrap();
        let meter = Meter::default();
        let mut layers = Layers::new(&stage, ArchivePolicy::IMAGE, &meter);
        layers.lay(&bytes[..]).unwrap();
        let tree = layers.finish().unwrap();
        assert!(!tree.nodes[&at("ping")].meta.xattrs.is_empty());
        let entries = entries(&tree);
        assert!(entries[&at("ping")].0.xattrs.is_empty() && !entries.contains_key(&at("null")));
        let declared = Declared::of(&tree);
        assert_eq!((declared.owner("ping"), declared.set_id("ping")), ([0, 7], 0o4000));
        assert_eq!((declared.owner("other"), declared.set_id("other")), ([0, 0], 0));
    }
}
