//! The whole file system of an image, as a command gets it that may write to it: with owners, modes and times.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, WareId};
use wake_store::ware::{
    ArchivePolicy, Cached, EntryPath, LayerEntry, LayeredTree, Node, PackType, Unpack,
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
    /// files of their own, without devices. An ordinary user cannot have all owners on disk: [`Images::declared`] says whose they are.
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
        let failed = |source| ImageError::Unpack { image: image.name.clone(), source };
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

/// All of it but devices, which a sandbox brings itself.
fn entries(tree: &LayeredTree) -> BTreeMap<EntryPath, LayerEntry> {
    let nodes = tree.nodes.iter().filter_map(|(path, node)| {
        let place = match node.meta.node {
            Node::CharDevice { .. } | Node::BlockDevice { .. } => return None,
            Node::File { .. } => Some(tree.root.join(path.as_str())),
            _ => None,
        };
        Some((path.clone(), (node.meta.clone(), place)))
    });
    nodes.collect()
}
