//! The whole file system of an image, with owners, modes and times, for commands that may write to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest, WareId};
use wake_store::ware::{
    ArchivePolicy, CacheError, Cached, EntryPath, LaidWare, LayError, LayeredNode, UnpackError,
    WareCache,
};

use crate::error::ImageError;
use crate::images::{Image, Images};
use crate::root::{is_full, no_room, unlaid};

/// Owners and setuid bits of files in an image, which an ordinary user cannot represent on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Permission bits, user and group, by path. Entries of user 0 without such bits are omitted.
    nodes: BTreeMap<String, (u16, u32, u32)>,
}

/// The setuid and setgid bits.
const SET_ID: u16 = 0o6000;

impl Declared {
    fn of(nodes: &BTreeMap<EntryPath, LayeredNode>) -> Declared {
        let special = nodes.iter().filter_map(|(path, node)| {
            let meta = &node.meta;
            let is_plain = (meta.uid, meta.gid) == (0, 0) && meta.perms & SET_ID == 0;
            (!is_plain).then(|| (path.to_string(), (meta.perms, meta.uid, meta.gid)))
        });
        Declared { nodes: special.collect() }
    }

    /// The owner of the entry at `path`.
    pub fn owner(&self, path: &str) -> [u32; 2] {
        self.nodes.get(path).map_or([0, 0], |(_, uid, gid)| [*uid, *gid])
    }

    /// The setuid and setgid bits of the entry at `path`.
    pub fn set_id(&self, path: &str) -> u16 {
        self.nodes.get(path).map_or(0, |(perms, ..)| perms & SET_ID)
    }
}

impl Images<'_> {
    /// Returns the files of an image as a ware, unpacked in the store's cache: with owners, modes and times, hard
    /// links as separate files, without devices and extended attributes. An ordinary user cannot give files away on
    /// disk, so [`Images::declared`] returns the owners.
    ///
    /// If the ware is already there, this costs a look at each of its files.
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
        self.bring(image)?;
        let laid =
            cache.keep_layers(ArchivePolicy::IMAGE, self.meter, |layers| self.lay(image, layers));
        let LaidWare { ware, nodes } = laid.map_err(|error| match error {
            LayError::Layers(error) => error,
            LayError::Extract(source) => unlaid(image, &image.digest, source),
            LayError::Cache(CacheError { source, .. }) if is_full(&source) => {
                no_room(image, &image.digest)
            }
            LayError::Cache(error) => {
                let image = image.name.clone();
                ImageError::Unpack { image, source: Box::new(UnpackError::Cache(error)) }
            }
        })?;
        let declared = serde_json::to_vec(&Declared::of(&nodes)).unwrap_or_default();
        let blob = self.store.put_blob(&declared)?;
        let memo = self.store.memo();
        memo.put(self::key("declared", &ware.to_string()), blob.0.as_bytes().to_vec());
        memo.put(key, ware.to_string().into_bytes());
        Ok(ware)
    }

    /// The owners and setuid bits of a ware's files.
    pub fn declared(&self, ware: &WareId) -> Option<Declared> {
        let bytes = self.store.memo().get(&key("declared", &ware.to_string()))?;
        let blob = BlobDigest(Digest::from_bytes(bytes.try_into().ok()?));
        serde_json::from_slice(&self.store.blob(&blob).ok()??).ok()
    }
}

/// The memo key of an image's data. Source: `spec/store-layout.md`, the memo.
fn key(what: &str, of: &str) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(3);
        encoder.text("image");
        encoder.text(what);
        encoder.text(of);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_store::ware::{Layers, Meter, Node, write_layer};

    use super::*;
    use crate::layer::layer_meta;

    #[test]
    fn attributes_an_ordinary_user_cannot_set_are_declared() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let at = |path: &str| EntryPath::parse(path.as_bytes()).unwrap();
        let ping = layer_meta(Node::File { size: 1 }, 0o4755, [0, 7]);
        let layer = BTreeMap::from([(at("ping"), (ping, Some(file)))]);
        let bytes = write_layer(&layer, Vec::new()).unwrap();
        let stage = dir.path().join("stage");
        std::fs::create_dir(&stage).unwrap();
        let meter = Meter::default();
        let mut layers = Layers::new(&stage, ArchivePolicy::IMAGE, &meter);
        layers.lay(&bytes[..]).unwrap();
        let tree = layers.finish().unwrap();
        let declared = Declared::of(&tree.nodes);
        assert_eq!((declared.owner("ping"), declared.set_id("ping")), ([0, 7], 0o4000));
        assert_eq!((declared.owner("other"), declared.set_id("other")), ([0, 0], 0));
    }
}
