//! Disk usage by kind of content.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use strum::AsRefStr;
use wake_model::Digest;

use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::memo::segment_paths;
use crate::open::Store;
use crate::packs::is_pack;

/// The kinds of content that a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsRefStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Directory trees.
    Tree,
    /// Bytes that are not part of a tree.
    Blob,
    /// Records of actions and of trees.
    Action,
    /// Segments of the memo.
    Memo,
    /// Unpacked wares.
    Ware,
    /// Build states.
    State,
    /// Corrupt content that was moved aside.
    Quarantine,
    /// Scratch space of living processes, and leftovers of dead ones.
    Scratch,
}

/// The number of entries of a kind and their disk usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Their number.
    pub count: usize,
    /// The blocks they occupy, in bytes.
    pub bytes: u64,
}

impl Store {
    /// Returns the disk usage of each kind; looks at every file.
    pub fn du(&self) -> Result<BTreeMap<Kind, Usage>, StoreError> {
        let layout = self.layout();
        let of = |paths: Vec<PathBuf>| usage_of(&paths);
        let paths =
            |dir: &Path| shards(dir).map(|all| all.into_iter().map(|(_, path)| path).collect());
        let packs: Vec<PathBuf> =
            children(&layout.actions)?.into_iter().filter(|path| is_pack(path)).collect();
        let (packed, _) = self.packs().all()?;
        let mut records = usage_of(&packs)?;
        let manifests = of(paths(&layout.manifests)?)?;
        records.count = packed.len() + manifests.count;
        records.bytes += manifests.bytes;
        Ok(BTreeMap::from([
            (Kind::Tree, of(paths(&layout.trees)?)?),
            (Kind::Blob, of(paths(&layout.blobs)?)?),
            (Kind::Action, records),
            (Kind::Memo, of(segment_paths(&layout.memo)?)?),
            (Kind::Ware, of(ware_paths(&layout.wares)?)?),
            (Kind::State, of(children(&layout.states)?)?),
            (Kind::Quarantine, of(children(&layout.quarantine)?)?),
            (Kind::Scratch, of(children(&layout.tmp)?)?),
        ]))
    }
}

fn usage_of(paths: &[PathBuf]) -> Result<Usage, StoreError> {
    let bytes = paths.par_iter().map(|path| disk_usage(path)).try_reduce(|| 0, |a, b| Ok(a + b))?;
    Ok(Usage { count: paths.len(), bytes })
}

/// Returns the space that a file, or a directory with its contents, occupies; 0 if it has just disappeared.
pub(crate) fn disk_usage(path: &Path) -> Result<u64, StoreError> {
    let Some(metadata) = optional(fs::symlink_metadata(path).at(path))? else { return Ok(0) };
    // POSIX leaves the unit of st_blocks open; on Linux it is 512 bytes.
    let mut bytes = metadata.blocks() * 512;
    if metadata.is_dir() {
        for child in children(path)? {
            bytes += disk_usage(&child)?;
        }
    }
    Ok(bytes)
}

/// Returns the entries of `dir/ab/` whose names are digests, with their paths.
pub(crate) fn shards(dir: &Path) -> Result<Vec<(Digest, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for shard in children(dir)? {
        for path in children(&shard)? {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(digest) = name.and_then(|name| name.parse().ok()) {
                found.push((digest, path));
            }
        }
    }
    Ok(found)
}

/// Returns the unpacked wares: `<type>/fileset/aaa/bbb/<hash>`.
pub(crate) fn ware_paths(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut level: Vec<PathBuf> =
        children(dir)?.into_iter().map(|packtype| packtype.join("fileset")).collect();
    for _ in 0..3 {
        let below: Result<Vec<Vec<PathBuf>>, StoreError> =
            level.iter().map(|path| children(path)).collect();
        level = below?.concat();
    }
    Ok(level)
}
