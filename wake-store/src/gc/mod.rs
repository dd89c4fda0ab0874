//! Garbage collection: deletes what no checkout refers to, least recently used first.
//!
//! The store is locked exclusively only while it is decided what to delete and while that is moved aside, which takes
//! moments; the bytes are deleted after the lock is shared again. If nothing can be moved because the disk is full, it
//! is deleted in place. A record is removed before the tree it refers to, so a killed collection leaves trees without
//! records and litter that the next process sweeps, never a record of a half-deleted tree. A record in a pack is
//! removed by a mark in place; packs with little left are rewritten afterwards, if there is space.

mod candidates;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::error::StoreError;
use crate::listing::children;
use crate::open::Store;
use crate::packs::{Fill, PackPlace};
use crate::publish::rename_into;
use crate::removal::{remove_file, remove_tree};
use crate::roots::Roots;
use crate::session::{Scratch, sweep};
use crate::usage::Kind;
use candidates::{Candidate, UsedRecord, candidates};

/// What a collection may delete.
///
/// Without bounds, everything that no checkout refers to is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    /// Stop deleting once the store is no larger than this, in bytes.
    pub max_size: Option<u64>,
    /// Delete whatever has not been used for this long.
    pub older_than: Option<Duration>,
    /// Whether anything is really deleted.
    pub mode: GcMode,
}

/// Whether a collection deletes or only reports what it would delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GcMode {
    /// Deletes.
    #[default]
    Delete,
    /// Changes nothing at all.
    DryRun,
}

/// An event during a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcEvent<'a> {
    /// Builds that use the store must end first; later ones wait.
    Waiting,
    /// Something was, or would be, deleted.
    Deleted {
        /// Its kind.
        kind: Kind,
        /// Its path.
        path: &'a Path,
        /// Its size on disk.
        bytes: u64,
    },
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// How many trees, blobs, wares and memo segments were deleted.
    pub deleted: usize,
    /// Their size on disk.
    pub deleted_bytes: u64,
    /// How many remain.
    pub kept: usize,
    /// Their size on disk.
    pub kept_bytes: u64,
    /// How many of these are referred to by checkouts.
    pub rooted: usize,
    /// Registered checkouts that do not exist at their path; after thirty days without a build there, they are
    /// forgotten.
    pub missing_roots: Vec<PathBuf>,
}

impl Store {
    /// Deletes what `options` allow.
    ///
    /// Waits for other processes that have the store open, and blocks later ones until it is decided what to delete.
    /// Whatever this process looked up before may have been deleted afterwards. Writes only directory entries, and
    /// those only if there is space.
    pub fn gc(
        &self,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcEvent<'_>),
    ) -> Result<GcReport, StoreError> {
        self.lease().make_exclusive(self.layout(), &mut || progress(GcEvent::Waiting))?;
        let collected = self.collect(options, progress);
        self.lease().make_shared(self.layout())?;
        // Dropping the trash deletes the bytes; the lock is shared again by now.
        let (report, trash) = collected?;
        drop(trash);
        if options.mode == GcMode::Delete {
            self.tidy_packs()?;
        }
        Ok(report)
    }

    fn collect(
        &self,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcEvent<'_>),
    ) -> Result<(GcReport, Option<Scratch>), StoreError> {
        let roots = Roots::collect(self.layout())?;
        let (records, outdated) = self.packs().all()?;
        let all = candidates(self.layout(), records, &roots)?;
        let (doomed, kept) = choose(all, options, clock::now());
        let mut report = GcReport {
            kept: kept.len(),
            kept_bytes: kept.iter().map(|candidate| candidate.bytes).sum(),
            rooted: kept.iter().filter(|candidate| candidate.rooted).count(),
            missing_roots: roots.missing.clone(),
            ..GcReport::default()
        };
        let mut trash = None;
        if options.mode == GcMode::Delete {
            remove_tree(&self.layout().quarantine)?;
            sweep(&self.layout().tmp)?;
            self.drop_partials()?;
            roots.forget_stale()?;
            // If there is no space for its index, it is left without one.
            let _ = self.packs().seal();
            outdated.iter().try_for_each(forget)?;
            trash = self.scratch().ok();
            self.discard_all_but_packs(trash.as_ref())?;
        }
        for candidate in &doomed {
            if options.mode == GcMode::Delete {
                discard(candidate, trash.as_ref(), report.deleted)?;
            }
            report.deleted += 1;
            report.deleted_bytes += candidate.bytes;
            let Candidate { kind, path, bytes, .. } = candidate;
            progress(GcEvent::Deleted { kind: *kind, path, bytes: *bytes });
        }
        Ok((report, trash))
    }

    /// Deletes what is beside the packs: records of the previous format, one per file, and files that a power cut left
    /// empty.
    fn discard_all_but_packs(&self, trash: Option<&Scratch>) -> Result<(), StoreError> {
        let packs = self.packs().known();
        let mut all = children(&self.layout().actions)?;
        all.retain(|path| packs.iter().all(|pack| pack.path() != path));
        for (number, path) in all.iter().enumerate() {
            move_aside(path, trash, &format!("stray-{number}"))?;
        }
        Ok(())
    }

    /// Deletes empty packs and rewrites those of which little is left.
    fn tidy_packs(&self) -> Result<(), StoreError> {
        let mut sparse = Vec::new();
        for pack in self.packs().known() {
            match pack.fill()? {
                Fill::InUse | Fill::Full => {}
                Fill::Empty => remove_file(pack.path())?,
                Fill::Sparse => sparse.push(pack),
            }
        }
        let Ok(session) = self.session() else { return Ok(()) };
        // Without space they stay as they are.
        let _ = self.packs().write_anew(&session, &sparse);
        Ok(())
    }
}

/// Returns what is deleted, least recently used first, and what is kept.
fn choose(
    mut all: Vec<Candidate>,
    options: &GcOptions,
    now: SystemTime,
) -> (Vec<Candidate>, Vec<Candidate>) {
    all.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.path.cmp(&b.path)));
    let mut total: u64 = all.iter().map(|candidate| candidate.bytes).sum();
    let unbounded = options.max_size.is_none() && options.older_than.is_none();
    let mut doomed = Vec::new();
    let mut kept = Vec::new();
    for candidate in all {
        // A time in the future, after the clock was set back, counts as now.
        let age = now.duration_since(candidate.used).unwrap_or_default();
        let too_old = options.older_than.is_some_and(|limit| age > limit);
        let too_much = options.max_size.is_some_and(|limit| total > limit);
        if !candidate.rooted && (unbounded || too_old || too_much) {
            total -= candidate.bytes;
            doomed.push(candidate);
        } else {
            kept.push(candidate);
        }
    }
    (doomed, kept)
}

/// Marks a record as removed; if not even that can be written, its pack is removed as a whole.
fn forget(place: &PackPlace) -> Result<(), StoreError> {
    place.forget().or_else(|_| remove_file(place.path()))
}

/// Moves a candidate and its records aside: unlinking can cost a millisecond per file, moving does not.
fn discard(
    candidate: &Candidate,
    trash: Option<&Scratch>,
    number: usize,
) -> Result<(), StoreError> {
    for (index, record) in candidate.records.iter().enumerate() {
        match record {
            UsedRecord::File(path) => move_aside(path, trash, &format!("{number}-{index}"))?,
            UsedRecord::Packed(place) => forget(place)?,
        }
    }
    if candidate.kind == Kind::Action {
        // The record was everything, and its path is that of a pack with others.
        return Ok(());
    }
    // An ordinary user can move a directory only if it is writable.
    let _ = rustix::fs::chmod(&candidate.path, rustix::fs::Mode::RWXU);
    move_aside(&candidate.path, trash, &number.to_string())
}

/// Moves a path into the trash under `name`; if that is not possible, it is deleted in place.
fn move_aside(path: &Path, trash: Option<&Scratch>, name: &str) -> Result<(), StoreError> {
    match trash.map(|trash| rename_into(path, &trash.path().join(name))) {
        Some(Ok(())) => Ok(()),
        _ => remove_tree(path),
    }
}
