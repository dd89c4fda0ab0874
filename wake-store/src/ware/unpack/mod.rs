//! Fetches, verifies, unpacks, scans and mirrors wares.

mod error;
mod packed;
mod look;

pub use self::error::UnpackError;
pub use self::look::{list, mirror, scan};
use self::packed::{coverage, read_packed, verify};
use super::archive::ExtractError;
use super::cache::{CacheError, Cached, LyingWare, Stage, WareCache};
use super::disk::{Ownership, TreeWriter, read_tree};
use super::extraction::{ExtractedTree, Extraction};
use super::filters::{Rules, UnpackFilters};
use super::git::read_commit;
use super::meter::Meter;
use super::node::Coverage;
use super::policy::ArchivePolicy;
use super::relocation::exchange;
use super::warehouse::{Warehouse, open_first};
use crate::removal::remove_whatever;
use std::path::{Path, PathBuf};
use wake_model::ware::{PackType, WareId};

/// Where an unpacked tree is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It stays in the cache.
    None,
    /// It is unpacked into the cache, if there is one, and copied from there.
    Copy,
    /// It is unpacked in its place, bypassing the cache.
    Direct,
}

/// What to unpack, from where and how.
#[derive(Clone, Copy, Debug)]
pub struct Unpack<'a> {
    /// The requested ware.
    pub ware: &'a WareId,
    /// Where it may be, in the order in which they are tried.
    pub sources: &'a [Warehouse],
    /// How its metadata is treated; unset fields are followed.
    pub filters: UnpackFilters,
    /// The cache of unpacked wares.
    pub cache: Option<&'a WareCache>,
    /// What the archive may contain.
    pub policy: ArchivePolicy,
}

/// The result of unpacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpackReport {
    /// The id of the tree after filters.
    pub ware: WareId,
    /// Its path.
    pub path: PathBuf,
    /// Whether its files have the right owners.
    pub ownership: Ownership,
    /// Its previous state in the cache.
    pub cached: Cached,
    /// The `tree` id of everything received, after filters: it leaves out nothing that a command sees.
    pub received: WareId,
}

/// A tree in a stage.
struct StagedTree {
    /// Its id after filters.
    ware: WareId,
    /// The id of everything received, after filters.
    received: WareId,
    ownership: Ownership,
    /// The id of everything in it, if that is what is on the disk.
    tree: Option<WareId>,
}

impl Unpack<'_> {
    /// Replaces whatever is at `destination` with the unpacked tree, atomically and only once its hash has been
    /// verified; `meter` counts the bytes read of the packed ware, and may stop the operation.
    pub fn place_at(
        &self,
        destination: &Path,
        placement: Placement,
        meter: &Meter,
    ) -> Result<UnpackReport, UnpackError> {
        match (placement, self.cache) {
            (Placement::None, _) => self.into_cache(meter),
            (Placement::Copy, Some(_)) => {
                let cached = self.into_cache(meter)?;
                copy_tree(&cached.path, destination, meter)?;
                Ok(UnpackReport { path: destination.to_owned(), ..cached })
            }
            (Placement::Copy, None) | (Placement::Direct, _) => {
                let stage = beside(destination)?;
                let StagedTree { ware, received, ownership, .. } = self.unpack(&stage, meter)?;
                put(&stage, destination)?;
                let path = destination.to_owned();
                Ok(UnpackReport { ware, path, ownership, cached: Cached::Absent, received })
            }
        }
    }

    /// Brings the ware into the cache and returns where it is. A ware that is there already is not fetched; `meter`
    /// counts the bytes read of the packed ware, and may stop the operation.
    pub fn into_cache(&self, meter: &Meter) -> Result<UnpackReport, UnpackError> {
        self.into_cache_telling(meter, &|_| {})
    }

    /// As [`Unpack::into_cache`]; `told` is called with its state in the cache before anything is fetched.
    pub fn into_cache_telling(
        &self,
        meter: &Meter,
        told: &dyn Fn(Cached),
    ) -> Result<UnpackReport, UnpackError> {
        let cache = self.cache.ok_or(UnpackError::NoCache)?;
        let (cached, lying) = match Rules::of(&self.filters).alter() {
            true => (Cached::Absent, None),
            false => cache.find(self.ware, self.sources, meter),
        };
        told(cached);
        if let Some(LyingWare { place: path, received }) = lying {
            let ware = self.ware.clone();
            return Ok(UnpackReport { ware, path, ownership: Ownership::Kept, cached, received });
        }
        let stage = cache.stage()?;
        let StagedTree { ware, received, ownership, tree } =
            self.unpack(&stage, meter).map_err(in_cache)?;
        let path = cache.commit(&stage, &ware, tree, received.clone(), self.sources, meter)?;
        Ok(UnpackReport { ware, path, ownership, cached, received })
    }

    /// Unpacks to `stage` and verifies the hash.
    fn unpack(&self, stage: &Stage, meter: &Meter) -> Result<StagedTree, UnpackError> {
        let writer = TreeWriter::new(stage.path())?;
        let packtype = self.ware.packtype();
        let rules = Rules::of(&self.filters);
        let mut extraction =
            Extraction::new(self.policy, rules, coverage(packtype), Some(writer), meter);
        if packtype == PackType::Git {
            read_commit(self.ware.hash(), self.sources, stage.path(), &mut extraction, meter)?;
            return Ok(landed(self.ware.clone(), &extraction.finish()?, &rules));
        }
        if self.ware.is_nothing() {
            return Err(UnpackError::Nothing { ware: self.ware.clone() });
        }
        let packed = open_first(self.ware, self.sources, meter)?;
        read_packed(packtype, packed, None, self.policy, &mut extraction, meter)?;
        let extracted = extraction.finish()?;
        verify(self.ware, &WareId::new(packtype, extracted.before))?;
        Ok(landed(WareId::new(packtype, extracted.after), &extracted, &rules))
    }
}

/// If owners could not be set or filters changed something, the disk does not contain what the archive declares.
fn landed(ware: WareId, extracted: &ExtractedTree, rules: &Rules) -> StagedTree {
    let ownership = extracted.ownership;
    let as_declared = ownership == Ownership::Kept && !rules.alter();
    let whole = extracted.bucket.root_hash(Coverage::EveryNode);
    let received = WareId::new(PackType::Tree, whole);
    StagedTree { ware, ownership, tree: as_declared.then(|| received.clone()), received }
}

/// A failure to write into the cache is the cache's problem, not that of a path that the user named.
fn in_cache(error: UnpackError) -> UnpackError {
    match error {
        UnpackError::Extract(ExtractError::Write { path, source }) => {
            UnpackError::Cache(CacheError { path, source })
        }
        error => error,
    }
}

/// Copies the tree at `from` to `destination`, with everything that a ware can represent, atomically; `meter` may stop
/// the operation.
pub fn copy_tree(from: &Path, destination: &Path, meter: &Meter) -> Result<(), UnpackError> {
    let stage = beside(destination)?;
    let (max_entries, max_bytes) = (u64::MAX, u64::MAX);
    let policy = ArchivePolicy { max_entries, max_bytes, ..ArchivePolicy::WARE };
    let writer = TreeWriter::new(stage.path())?;
    let rules = Rules::of(&UnpackFilters::LOSSLESS);
    let mut extraction = Extraction::new(policy, rules, Coverage::EveryNode, Some(writer), meter);
    read_tree(from, &mut extraction)?;
    extraction.finish()?;
    put(&stage, destination)
}

/// Returns a stage in the file system of `destination`, so that a rename can finish the work.
fn beside(destination: &Path) -> Result<Stage, UnpackError> {
    let parent = match destination.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Stage::new(parent, "unpack").map_err(|error| UnpackError::Destination {
        path: destination.to_owned(),
        source: error.source,
    })
}

fn put(stage: &Stage, destination: &Path) -> Result<(), UnpackError> {
    let failed = |source| UnpackError::Destination { path: destination.to_owned(), source };
    exchange(&stage.root(), destination).map_err(failed)?;
    // What was at the destination is now in the stage and is removed with it.
    remove_whatever(stage.path()).map_err(failed)
}
