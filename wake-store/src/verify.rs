//! Checks everything in the store, to find damage before it matters.

use std::fs;
use std::sync::Arc;

use rayon::prelude::*;
use wake_model::{ActionDigest, BlobDigest, TreeDigest};

use crate::corruption::{Corruption, Damage, Lookup};
use crate::error::{At, StoreError, optional};
use crate::measure::measure_file;
use crate::memo::{segment_is_sound, segment_paths};
use crate::open::Store;
use crate::packs::{Pack, PackPlace};
use crate::record_file::{ActionFile, TreeFile};
use crate::removal::remove_file;
use crate::session::Session;
use crate::usage::shards;

/// How thoroughly to check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyOptions {
    /// How the contents of trees are checked.
    pub contents: Contents,
}

/// How the contents of trees are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contents {
    /// Each file is compared with its stamp, and hashed only in doubt.
    Stamps,
    /// Every byte is read and hashed.
    #[default]
    Hash,
}

/// What was checked and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many trees.
    pub trees: usize,
    /// How many action records.
    pub actions: usize,
    /// How many standalone blobs.
    pub blobs: usize,
    /// How many memo segments.
    pub segments: usize,
    /// Corrupt content, which has been moved aside.
    pub corrupt: Vec<Corruption>,
}

impl Store {
    /// Checks everything; corrupt content is moved aside, so that later builds recreate it.
    ///
    /// Calls `looked` after each item with the number of items so far and in total.
    pub fn verify(
        &self,
        options: &VerifyOptions,
        looked: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<VerifyReport, StoreError> {
        let layout = self.layout();
        let trees = shards(&layout.trees)?;
        let (actions, _) = self.packs().all()?;
        let packs = self.packs().known();
        let manifests = shards(&layout.manifests)?;
        let blobs = shards(&layout.blobs)?;
        let segments = segment_paths(&layout.memo)?;
        let hashed = if options.contents == Contents::Hash { trees.len() } else { 0 };
        let records = actions.len() + packs.len() + manifests.len();
        let all = hashed + records + blobs.len() + segments.len();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let tick = || looked(1 + count.fetch_add(1, std::sync::atomic::Ordering::Relaxed), all);
        let mut report = VerifyReport {
            trees: trees.len(),
            actions: actions.len(),
            blobs: blobs.len(),
            segments: segments.len(),
            corrupt: Vec::new(),
        };
        let mut check = |found: Result<Vec<Option<Corruption>>, StoreError>| {
            report.corrupt.extend(found?.into_iter().flatten());
            Ok::<_, StoreError>(())
        };
        let ticked = |found: Result<Option<Corruption>, StoreError>| {
            tick();
            found
        };
        if options.contents == Contents::Hash {
            let tree = |(digest, _)| ticked(self.verify_tree(&TreeDigest(digest)));
            check(trees.into_par_iter().map(tree).collect())?;
        }
        let manifest = |(digest, _)| ticked(self.verify_manifest(&TreeDigest(digest)));
        check(manifests.into_par_iter().map(manifest).collect())?;
        let action = |place: PackPlace| ticked(self.verify_action(&ActionDigest(*place.key())));
        check(actions.into_par_iter().map(action).collect())?;
        check(packs.iter().map(|pack| ticked(self.verify_pack(pack))).collect())?;
        let blob = |(digest, _)| ticked(self.verify_blob(&BlobDigest(digest)));
        check(blobs.into_par_iter().map(blob).collect())?;
        let segment = |path| ticked(verify_segment(path));
        check(segments.into_par_iter().map(segment).collect())?;
        Ok(report)
    }

    fn verify_tree(&self, digest: &TreeDigest) -> Result<Option<Corruption>, StoreError> {
        match self.recheck(digest, None) {
            Ok(Ok(_)) => Ok(None),
            Ok(Err(damage)) => self.quarantine(&self.layout().tree(digest), damage).map(Some),
            // Another process has just moved it aside.
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn verify_manifest(&self, digest: &TreeDigest) -> Result<Option<Corruption>, StoreError> {
        let path = self.layout().manifest(digest);
        let Some(bytes) = optional(fs::read(&path).at(&path))? else { return Ok(None) };
        if TreeFile::decode(&bytes, &digest.0).is_err() {
            remove_file(&path)?;
            return Ok(Some(Corruption { path, damage: Damage::Record, kept: None }));
        }
        Ok(corruption(self.tree(digest)?))
    }

    fn verify_action(&self, digest: &ActionDigest) -> Result<Option<Corruption>, StoreError> {
        let Some(packed) = self.packs().find(&digest.0)? else { return Ok(None) };
        // A record that passes its check can still be wrong about the outputs, but only if its writer was faulty.
        let lies = ActionFile::decode(packed.bytes(), &digest.0)
            .is_ok_and(|file| file.tree != file.record.outputs.digest());
        if lies {
            return self.forget_damaged(digest, &packed).map(Some);
        }
        Ok(corruption(self.action(digest)?))
    }

    /// Checks the index of a pack; if it is wrong, its records are copied to another pack, or dropped if there is no
    /// space.
    fn verify_pack(&self, pack: &Arc<Pack>) -> Result<Option<Corruption>, StoreError> {
        if pack.index_is_sound() {
            return Ok(None);
        }
        let anew =
            |session: Arc<Session>| self.packs().write_anew(&session, std::slice::from_ref(pack));
        let path = pack.path().to_owned();
        self.session().and_then(anew).or_else(|_| remove_file(&path))?;
        Ok(Some(Corruption { path, damage: Damage::Record, kept: None }))
    }

    fn verify_blob(&self, digest: &BlobDigest) -> Result<Option<Corruption>, StoreError> {
        let path = self.layout().blob(digest);
        match optional(measure_file(&path))? {
            Some((found, _)) if found != *digest => {
                self.quarantine(&path, Damage::Content).map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn corruption<T>(lookup: Lookup<T>) -> Option<Corruption> {
    match lookup {
        Lookup::Corrupt(corruption) => Some(corruption),
        Lookup::Hit(_) | Lookup::Miss => None,
    }
}

fn verify_segment(path: std::path::PathBuf) -> Result<Option<Corruption>, StoreError> {
    if segment_is_sound(&path) {
        return Ok(None);
    }
    remove_file(&path)?;
    Ok(Some(Corruption { path, damage: Damage::Record, kept: None }))
}
