//! Garbage collection: deletes what no living checkout shows, the longest unused first.
//!
//! The store is held alone only while it is decided what goes and while that is moved aside, which takes
//! moments; the bytes are removed after others have been let in again. Where nothing can be moved because the disk
//! is full, it is removed in its place. A record goes before the tree it speaks of, so being killed at any
//! point leaves trees that nobody remembers and litter that the next process sweeps, never a record of something
//! that is half gone. In a pack a record goes by a mark in its place; packs of which little is left are written
//! anew afterwards, if there is room.

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
/// With neither bound, everything goes that no checkout shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    /// Stop deleting when the store is no larger than this many bytes.
    pub max_size: Option<u64>,
    /// Delete whatever has not been used for this long.
    pub older_than: Option<Duration>,
    /// Whether anything is really deleted.
    pub mode: GcMode,
}

/// Whether a collection deletes or only says what it would delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GcMode {
    /// Deletes.
    #[default]
    Delete,
    /// Changes nothing at all.
    DryRun,
}

/// What happens during a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GcEvent<'a> {
    /// Builds that use the store must end first; later ones wait.
    Waiting,
    /// Something has been, or would be, deleted.
    Deleted {
        /// What it is.
        kind: Kind,
        /// Where it lay.
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
    /// How many of these are shown by checkouts.
    pub rooted: usize,
    /// Registered checkouts that are not where they were; after thirty days without a build there they
    /// are forgotten.
    pub missing_roots: Vec<PathBuf>,
}

impl Store {
    /// Deletes what `options` allow.
    ///
    /// Waits for other processes that have the store open, and keeps later ones waiting, until it is decided
    /// what goes. Whatever this process looked up before may be gone afterwards. Writes nothing but
    /// directory entries, and those only if there is room.
    pub fn gc(
        &self,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcEvent<'_>),
    ) -> Result<GcReport, StoreError> {
        self.lease().make_exclusive(self.layout(), &mut || progress(GcEvent::Waiting))?;
        let collected = self.collect(options, progress);
        self.lease().make_shared(self.layout())?;
        // Dropping the trash removes the bytes; others are in again by now.
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
            // Where there is no room for its index, it is left without.
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

    /// What lies beside the packs goes: records of the format before this one, which had a file each, and files in
    /// which a power cut left nothing.
    fn discard_all_but_packs(&self, trash: Option<&Scratch>) -> Result<(), StoreError> {
        let packs = self.packs().known();
        let mut all = children(&self.layout().actions)?;
        all.retain(|path| packs.iter().all(|pack| pack.path() != path));
        for (number, path) in all.iter().enumerate() {
            move_aside(path, trash, &format!("stray-{number}"))?;
        }
        Ok(())
    }

    /// Removes packs of which nothing is left; of which little is left, those are written anew.
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
        // Without room they stay as they are.
        let _ = self.packs().write_anew(&session, &sparse);
        Ok(())
    }
}

/// What goes, the longest unused first, and what stays.
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

/// Marks a record as gone; where not even that can be written, its pack goes as a whole.
fn forget(place: &PackPlace) -> Result<(), StoreError> {
    place.forget().or_else(|_| remove_file(place.path()))
}

/// Moves a thing and the records of it aside: unlinking can cost a millisecond a file, moving does not.
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
        // The record itself was all, and its path is that of a pack with others.
        return Ok(());
    }
    // An ordinary user moves a directory only if it is writable.
    let _ = rustix::fs::chmod(&candidate.path, rustix::fs::Mode::RWXU);
    move_aside(&candidate.path, trash, &number.to_string())
}

/// Moves something into the trash under `name`; where that cannot be, it is removed in its place.
fn move_aside(path: &Path, trash: Option<&Scratch>, name: &str) -> Result<(), StoreError> {
    match trash.map(|trash| rename_into(path, &trash.path().join(name))) {
        Some(Ok(())) => Ok(()),
        _ => remove_tree(path),
    }
}
