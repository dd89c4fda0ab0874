//! Fetches, verifies, unpacks, scans and mirrors wares.

use super::archive::{ExtractError, Stream, Visit, read_tar, read_zip};
use super::bucket::Bucket;
use super::cache::{CacheError, Cached, Stage, WareCache, remove_tree};
use super::category::Category;
use super::disk::{Ownership, TreeWriter, read_tree};
use super::entry_path::EntryPath;
use super::extraction::{Extracted, Extraction};
use super::filters::{Rules, UnpackFilters};
use super::git::{GitError, read_commit};
use super::id::{PackType, WareId};
use super::meter::{Meter, Metered};
use super::node::{Coverage, Meta};
use super::policy::Policy;
use super::relocation::exchange;
use super::warehouse::{Packed, Upload, Warehouse, WarehouseError, open_first};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// How an unpacked tree comes to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It stays in the cache.
    None,
    /// It is unpacked into the cache, if there is one, and copied from there.
    Copy,
    /// It is unpacked at its place, past the cache.
    Direct,
}

/// What to unpack, from where and how.
#[derive(Clone, Copy, Debug)]
pub struct Unpack<'a> {
    /// The ware that is asked for.
    pub ware: &'a WareId,
    /// Where it may be, tried in this order.
    pub sources: &'a [Warehouse],
    /// What happens to its metadata; unset fields are followed.
    pub filters: UnpackFilters,
    /// Unpacked wares of earlier times.
    pub cache: Option<&'a WareCache>,
    /// What the archive may hold.
    pub policy: Policy,
}

/// What unpacking gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The id of the tree after filters.
    pub ware: WareId,
    /// Where it is.
    pub path: PathBuf,
    /// Whether its files belong to whom they should.
    pub ownership: Ownership,
    /// How the cache had it before.
    pub cached: Cached,
}

/// A tree in a stage.
struct Landed {
    /// Its id after filters.
    ware: WareId,
    ownership: Ownership,
    /// The id of everything in it, if that is what lies on the disk.
    tree: Option<WareId>,
}

impl Unpack<'_> {
    /// Replaces whatever is at `destination` by the unpacked tree, in one step and only when its hash was right.
    pub fn place_at(
        &self,
        destination: &Path,
        placement: Placement,
    ) -> Result<Unpacked, UnpackError> {
        self.place_at_metered(destination, placement, &Meter::default())
    }

    /// The same; `meter` counts what is read of the packed ware.
    pub fn place_at_metered(
        &self,
        destination: &Path,
        placement: Placement,
        meter: &Meter,
    ) -> Result<Unpacked, UnpackError> {
        match (placement, self.cache) {
            (Placement::None, _) => self.into_cache_metered(meter),
            (Placement::Copy, Some(_)) => {
                let cached = self.into_cache_metered(meter)?;
                copy_tree(&cached.path, destination, self.policy)?;
                Ok(Unpacked { path: destination.to_owned(), ..cached })
            }
            (Placement::Copy, None) | (Placement::Direct, _) => {
                let stage = beside(destination)?;
                let Landed { ware, ownership, .. } = self.unpack(&stage, meter)?;
                put(&stage, destination)?;
                let path = destination.to_owned();
                Ok(Unpacked { ware, path, ownership, cached: Cached::Absent })
            }
        }
    }

    /// Brings the ware into the cache and says where it is there. A ware that is there already is not fetched.
    pub fn into_cache(&self) -> Result<Unpacked, UnpackError> {
        self.into_cache_metered(&Meter::default())
    }

    /// The same; `meter` counts what is read of the packed ware.
    pub fn into_cache_metered(&self, meter: &Meter) -> Result<Unpacked, UnpackError> {
        let cache = self.cache.ok_or(UnpackError::NoCache)?;
        let cached = match Rules::of(&self.filters).alter() {
            true => Cached::Absent,
            false => cache.state(self.ware),
        };
        if cached == Cached::Untouched {
            let (ware, path) = (self.ware.clone(), cache.place(self.ware));
            return Ok(Unpacked { ware, path, ownership: Ownership::Kept, cached });
        }
        let stage = cache.stage()?;
        let Landed { ware, ownership, tree } = self.unpack(&stage, meter)?;
        let path = cache.commit(&stage, &ware, tree)?;
        Ok(Unpacked { ware, path, ownership, cached })
    }

    /// Unpacks to `stage` and compares the hash.
    fn unpack(&self, stage: &Stage, meter: &Meter) -> Result<Landed, UnpackError> {
        let writer = TreeWriter::new(stage.path())?;
        let packtype = self.ware.packtype();
        let rules = Rules::of(&self.filters);
        let mut extraction = Extraction::new(self.policy, rules, coverage(packtype), Some(writer));
        if packtype == PackType::Git {
            read_commit(self.ware.hash(), self.sources, stage.path(), &mut extraction)?;
            return Ok(landed(self.ware.clone(), &extraction.finish()?, &rules));
        }
        if self.ware.is_nothing() {
            return Err(UnpackError::Nothing { ware: self.ware.clone() });
        }
        let source = metered(open_first(self.ware, self.sources)?, meter);
        read_packed(packtype, source, self.policy, &mut extraction)?;
        let extracted = extraction.finish()?;
        verify(self.ware, &WareId::new(packtype, &extracted.before))?;
        Ok(landed(WareId::new(packtype, &extracted.after), &extracted, &rules))
    }
}

/// Where owners could not be set or filters altered something, the disk does not hold what the archive declares.
fn landed(ware: WareId, extracted: &Extracted, rules: &Rules) -> Landed {
    let ownership = extracted.ownership;
    let as_declared = ownership == Ownership::Kept && !rules.alter();
    let whole = || WareId::new(PackType::Tree, &extracted.bucket.root_hash(Coverage::EveryNode));
    Landed { ware, ownership, tree: as_declared.then(whole) }
}

/// Computes the id of the packed ware in `source`, without unpacking it. What `filters` reject is refused.
pub fn scan(
    packtype: PackType,
    source: &Warehouse,
    filters: UnpackFilters,
    policy: Policy,
) -> Result<WareId, UnpackError> {
    scan_metered(packtype, source, filters, policy, &Meter::default())
}

/// The same; `meter` counts what is read.
pub fn scan_metered(
    packtype: PackType,
    source: &Warehouse,
    filters: UnpackFilters,
    policy: Policy,
    meter: &Meter,
) -> Result<WareId, UnpackError> {
    scan_nodes(packtype, source, filters, policy, meter).map(|(ware, _)| ware)
}

/// Lists what the packed ware in `source` holds, in order of hashing and with its id.
pub fn list(
    packtype: PackType,
    source: &Warehouse,
    policy: Policy,
) -> Result<(WareId, Vec<(EntryPath, Meta)>), UnpackError> {
    let (ware, bucket) =
        scan_nodes(packtype, source, UnpackFilters::LOSSLESS, policy, &Meter::default())?;
    Ok((ware, bucket.iter().map(|(path, meta)| (path.clone(), meta.clone())).collect()))
}

fn scan_nodes(
    packtype: PackType,
    source: &Warehouse,
    filters: UnpackFilters,
    policy: Policy,
    meter: &Meter,
) -> Result<(WareId, Bucket), UnpackError> {
    if packtype == PackType::Git {
        return Err(UnpackError::Unsupported { packtype, verb: "scanned" });
    }
    let reader = metered(source.open(&WareId::nothing(packtype))?, meter);
    let mut extraction = Extraction::new(policy, Rules::of(&filters), coverage(packtype), None);
    read_packed(packtype, reader, policy, &mut extraction)?;
    let extracted = extraction.finish()?;
    Ok((WareId::new(packtype, &extracted.before), extracted.bucket))
}

/// Copies the packed ware from the first of `sources` that has it to `target`, if its hash is right.
pub fn mirror(
    ware: &WareId,
    target: &Warehouse,
    sources: &[Warehouse],
    policy: Policy,
) -> Result<(), UnpackError> {
    mirror_metered(ware, target, sources, policy, &Meter::default())
}

/// The same; `meter` counts what is read.
pub fn mirror_metered(
    ware: &WareId,
    target: &Warehouse,
    sources: &[Warehouse],
    policy: Policy,
    meter: &Meter,
) -> Result<(), UnpackError> {
    let packtype = ware.packtype();
    if packtype == PackType::Git {
        return Err(UnpackError::Unsupported { packtype, verb: "mirrored" });
    }
    let mut upload = Upload::begin(target)?;
    let mut extraction =
        Extraction::new(policy, Rules::of(&UnpackFilters::LOSSLESS), coverage(packtype), None);
    let mut tee = Tee { source: metered(open_first(ware, sources)?, meter), copy: &mut upload };
    read_packed(packtype, &mut tee, policy, &mut extraction)?;
    verify(ware, &WareId::new(packtype, &extraction.finish()?.before))?;
    Ok(upload.commit(ware)?)
}

/// Why a ware was not unpacked, scanned or mirrored.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive holds a well-formed other ware.
    #[error("hash mismatch: asked for `{asked}`, but `{came}` came")]
    HashMismatch {
        /// The ware that was asked for.
        asked: WareId,
        /// The ware that came.
        came: WareId,
    },
    /// The id says that nothing was packed.
    #[error("`{ware}` stands for a path that did not exist: there is nothing to unpack")]
    Nothing {
        /// The id.
        ware: WareId,
    },
    /// This pack type cannot do that.
    #[error("pack type `{packtype}` cannot be {verb}")]
    Unsupported {
        /// The pack type.
        packtype: PackType,
        /// `scanned` or `mirrored`.
        verb: &'static str,
    },
    /// Something is to stay in a cache, and none was given.
    #[error("there is no ware cache to unpack into")]
    NoCache,
    /// The archive was not taken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// No warehouse gave it, or one did not take it.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The ware cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Git did not give the commit.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The destination cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Destination {
        /// The destination.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl UnpackError {
    /// The published category.
    pub fn category(&self) -> Category {
        match self {
            UnpackError::HashMismatch { .. } => Category::HashMismatch,
            UnpackError::Nothing { .. }
            | UnpackError::Unsupported { .. }
            | UnpackError::NoCache => Category::Usage,
            UnpackError::Extract(error) => error.category(),
            UnpackError::Warehouse(error) => error.category(),
            UnpackError::Cache(_) => Category::LocalCacheProblem,
            UnpackError::Git(error) => error.category(),
            UnpackError::Destination { .. } => Category::InoperablePath,
        }
    }
}

fn coverage(packtype: PackType) -> Coverage {
    match packtype {
        PackType::Tar | PackType::Zip => Coverage::FilesAndDirs,
        PackType::Tree | PackType::Git => Coverage::EveryNode,
    }
}

fn verify(asked: &WareId, came: &WareId) -> Result<(), UnpackError> {
    if asked == came {
        return Ok(());
    }
    Err(UnpackError::HashMismatch { asked: asked.clone(), came: came.clone() })
}

fn metered(packed: Packed, meter: &Meter) -> Metered<'_, Box<dyn Read + Send>> {
    meter.expect(packed.size);
    Metered { source: packed.bytes, meter }
}

/// Reads a packed ware from its first byte to its last.
fn read_packed(
    packtype: PackType,
    source: impl Read,
    policy: Policy,
    visitor: &mut dyn Visit,
) -> Result<(), ExtractError> {
    if packtype == PackType::Zip {
        return read_zip(&spool(source, policy)?, policy, visitor);
    }
    read_tar(&mut Stream::open(source, policy)?, visitor)
}

/// A zip archive is read from its end, so it is first brought to disk, under no name.
fn spool(mut source: impl Read, policy: Policy) -> Result<File, ExtractError> {
    let failed = |source| ExtractError::Source { source };
    let mut file = tempfile::tempfile_in("/var/tmp").map_err(failed)?;
    let copied =
        io::copy(&mut source.by_ref().take(policy.max_bytes + 1), &mut file).map_err(failed)?;
    if copied > policy.max_bytes {
        let (of, path) = ("bytes", ".".to_owned());
        return Err(ExtractError::Limit { of, most: policy.max_bytes, path });
    }
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn copy_tree(from: &Path, destination: &Path, policy: Policy) -> Result<(), UnpackError> {
    let stage = beside(destination)?;
    let policy = Policy { max_entries: u64::MAX, max_bytes: u64::MAX, ..policy };
    let writer = TreeWriter::new(stage.path())?;
    let rules = Rules::of(&UnpackFilters::LOSSLESS);
    let mut extraction = Extraction::new(policy, rules, Coverage::EveryNode, Some(writer));
    read_tree(from, &mut extraction)?;
    extraction.finish()?;
    put(&stage, destination)
}

/// A stage in the file system of `destination`, so that a rename can end the work.
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
    // What was at the destination is now in the stage and goes with it.
    remove_tree(stage.path()).map_err(failed)
}

/// Copies what is read.
struct Tee<'a, R> {
    source: R,
    copy: &'a mut Upload,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.copy.write_all(&buffer[..n])?;
        Ok(n)
    }
}
