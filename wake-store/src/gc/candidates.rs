//! Everything that could be deleted, with its size and its last use.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rayon::prelude::*;
use wake_model::{BlobDigest, LogRef, TreeDigest};

use crate::error::{At, StoreError, optional};
use crate::layout::Layout;
use crate::listing::children;
use crate::memo::segment_paths;
use crate::packs::PackPlace;
use crate::record_file::ActionFile;
use crate::roots::Roots;
use crate::streams::named_blobs;
use crate::usage::{Kind, disk_usage, shards, ware_paths};
use crate::ware::seal_of;

/// Something that is kept or deleted as a whole.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
    /// Whether a checkout refers to it.
    pub(super) rooted: bool,
    /// The records that refer to it, which are removed first.
    pub(super) records: Vec<UsedRecord>,
}

/// A record that refers to something else.
#[derive(Debug)]
pub(super) enum UsedRecord {
    /// A file.
    File(PathBuf),
    /// A record in a pack.
    Packed(PackPlace),
}

/// The references in action records.
#[derive(Default)]
struct Mentions {
    trees: HashMap<TreeDigest, Mention>,
    blobs: HashMap<BlobDigest, Mention>,
    /// Records that cannot be read.
    damaged: Vec<PackPlace>,
}

struct Mention {
    records: Vec<PackPlace>,
    used: SystemTime,
    rooted: bool,
}

/// Scans the whole store; changes nothing.
pub(super) fn candidates(
    layout: &Layout,
    records: Vec<PackPlace>,
    roots: &Roots,
) -> Result<Vec<Candidate>, StoreError> {
    let mut mentions = mentions(records, roots)?;
    let mut found = trees(layout, roots, &mut mentions)?;
    found.extend(blobs(layout, &mentions)?);
    for path in segment_paths(&layout.memo)? {
        found.extend(plain(Kind::Memo, path)?);
    }
    for path in ware_paths(&layout.wares)? {
        found.extend(ware(path)?);
    }
    for path in children(&layout.states)? {
        found.extend(plain(Kind::State, path)?);
    }
    // The remaining ones are referred to by records and do not exist.
    let orphans = mentions.trees.into_values().flat_map(|mention| mention.records);
    found.extend(orphans.chain(mentions.damaged).map(orphan));
    Ok(found)
}

/// A record that is of no use; its path is that of the pack that contains it.
fn orphan(place: PackPlace) -> Candidate {
    Candidate {
        kind: Kind::Action,
        path: place.path().to_owned(),
        bytes: place.size(),
        used: SystemTime::UNIX_EPOCH,
        rooted: false,
        records: vec![UsedRecord::Packed(place)],
    }
}

fn mentions(records: Vec<PackPlace>, roots: &Roots) -> Result<Mentions, StoreError> {
    let read = |place: PackPlace| {
        let Some(packed) = place.read()? else { return Ok(None) };
        let file = ActionFile::decode(packed.bytes(), place.key()).ok();
        Ok(Some((place, packed.used(), file)))
    };
    let files: Result<Vec<_>, StoreError> = records.into_par_iter().map(read).collect();
    let mut mentions = Mentions::default();
    for (place, used, file) in files?.into_iter().flatten() {
        let Some(file) = file else {
            mentions.damaged.push(place);
            continue;
        };
        let rooted = roots.trees.contains(&file.tree);
        for LogRef { blob, .. } in [&file.record.stdout, &file.record.stderr].into_iter().flatten()
        {
            mention(&mut mentions.blobs, *blob, None, used, rooted);
        }
        mention(&mut mentions.trees, file.tree, Some(place), used, rooted);
    }
    Ok(mentions)
}

fn mention<K: std::hash::Hash + Eq>(
    mentions: &mut HashMap<K, Mention>,
    key: K,
    record: Option<PackPlace>,
    used: SystemTime,
    rooted: bool,
) {
    let entry = mentions.entry(key).or_insert(Mention { records: Vec::new(), used, rooted });
    entry.records.extend(record);
    entry.used = entry.used.max(used);
    entry.rooted |= rooted;
}

fn trees(
    layout: &Layout,
    roots: &Roots,
    mentions: &mut Mentions,
) -> Result<Vec<Candidate>, StoreError> {
    let dirs = shards(&layout.trees)?;
    let sizes: Result<Vec<_>, StoreError> = dirs
        .into_par_iter()
        .map(|(digest, path)| Ok((digest, size_and_use(&path)?, path)))
        .collect();
    let mut found = Vec::new();
    for (digest, (bytes, last), path) in sizes? {
        let digest = TreeDigest(digest);
        let mention = mentions.trees.remove(&digest);
        let mut used = mention.as_ref().map_or(SystemTime::UNIX_EPOCH, |mention| mention.used);
        let records = mention.map_or_else(Vec::new, |mention| mention.records);
        let mut records: Vec<UsedRecord> = records.into_iter().map(UsedRecord::Packed).collect();
        let manifest = layout.manifest(&digest);
        if let Some(metadata) = optional(fs::metadata(&manifest).at(&manifest))? {
            used = used.max(metadata.modified().at(&manifest)?);
            records.push(UsedRecord::File(manifest));
        }
        if records.is_empty() {
            used = last;
        }
        let rooted = roots.trees.contains(&digest);
        found.push(Candidate { kind: Kind::Tree, path, bytes, used, rooted, records });
    }
    Ok(found)
}

fn blobs(layout: &Layout, mentions: &Mentions) -> Result<Vec<Candidate>, StoreError> {
    let mut found = Vec::new();
    let named = named_blobs(&layout.buffers)?;
    for (digest, path) in shards(&layout.blobs)? {
        let mention = mentions.blobs.get(&BlobDigest(digest));
        found.extend(plain(Kind::Blob, path)?.map(|blob| Candidate {
            used: mention.map_or(blob.used, |mention| mention.used.max(blob.used)),
            rooted: mention.is_some_and(|mention| mention.rooted)
                || named.contains(&BlobDigest(digest)),
            ..blob
        }));
    }
    Ok(found)
}

/// The modification time of an unpacked ware is a declared one; its seal has its last use.
fn ware(path: PathBuf) -> Result<Option<Candidate>, StoreError> {
    let seal = seal_of(&path);
    let Some(mut ware) = plain(Kind::Ware, path)? else { return Ok(None) };
    if let Some(seal) = seal
        && let Some(metadata) = optional(fs::metadata(&seal).at(&seal))?
    {
        ware.used = metadata.modified().at(&seal)?;
        ware.records.push(UsedRecord::File(seal));
    }
    Ok(Some(ware))
}

/// Returns a candidate whose last use is its own modification time; none if it has just disappeared.
fn plain(kind: Kind, path: PathBuf) -> Result<Option<Candidate>, StoreError> {
    let Some(metadata) = optional(fs::symlink_metadata(&path).at(&path))? else { return Ok(None) };
    let bytes = disk_usage(&path)?;
    let used = metadata.modified().at(&path)?;
    Ok(Some(Candidate { kind, path, bytes, used, rooted: false, records: Vec::new() }))
}

/// For trees without a record, the root's access time is the last use.
fn size_and_use(path: &Path) -> Result<(u64, SystemTime), StoreError> {
    let metadata = fs::symlink_metadata(path).at(path)?;
    let seconds = u64::try_from(metadata.atime()).unwrap_or_default();
    let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    Ok((disk_usage(path)?, used))
}
