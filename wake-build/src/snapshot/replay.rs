//! Rebuilding from a snapshot whose plan is still valid: only what a changed file reaches.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use wake_image::Images;
use wake_model::{ActionDigest, RelPath, WareId};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::history::History;
use wake_steps::step::TreeOrigin;
use wake_steps::{Results, Step, StepContext, StepId, StepOutput, StepSuccess, Steps, TestPolicy};
use wake_store::ware::{Cached, Meter, WareCache, Web};
use wake_store::{ConfinedPath, Lookup, Store};

use super::capture::result_at;
use super::delta::{Patch, PatchedResult};
use super::file::Snapshot;
use super::keep::Changes;
use super::signature::Proof;
use super::step_record::{InputRecord, RootRecord, SharedFiles, StepRecord, StepResult};
use super::table::{FileKind, FileRecord};
use super::verify::{ChangedFile, Differences};
use crate::files::FileState;
use crate::order::{graph_of, sort};
use crate::shelf::{Shelf, ShelfEntry};

/// The steps that changed files reach, and what is known of all others.
pub(crate) struct Replay<'a> {
    snapshot: &'a Snapshot,
    /// The present state of changed files.
    changed: HashMap<RelPath, FileState>,
    store: &'a Store,
    /// The steps to perform again, by number.
    records: BTreeMap<usize, ReplayStep>,
    /// Results of other steps that are needed.
    others: HashMap<usize, StepOutput>,
    order: Vec<StepId>,
    fresh: Mutex<BTreeMap<usize, Fresh>>,
    /// Where step records are spooled.
    shelf: Arc<Shelf>,
    /// Files that steps share.
    shared: SharedFiles,
}

/// A step to perform again.
///
/// Its record is read again when it is pinned: records take much memory if there are many steps.
pub(crate) struct ReplayStep {
    /// Its label.
    pub(crate) label: Box<str>,
    /// Its link, if a target names it.
    pub(crate) link: Option<Box<str>>,
    /// Its previous key.
    pub(crate) key: ActionDigest,
    /// How long it took.
    pub(crate) dur_ms: u64,
    outputs: Box<str>,
    test: Option<u32>,
    needs: Box<[StepId]>,
    /// Steps that are not dependencies but whose output it uses: that was handed on.
    takes: Box<[StepId]>,
}

impl From<StepRecord<'_>> for ReplayStep {
    fn from(record: StepRecord<'_>) -> ReplayStep {
        let StepRecord { label, link, outputs, test, needs, result } = record;
        let takes: BTreeSet<StepId> =
            result.givers().filter(|step| !needs.contains(step)).collect();
        let takes = takes.into_iter().collect();
        let StepResult { key, dur_ms, .. } = result;
        let needs = needs.into_owned().into();
        let (label, link, outputs) = (label.into(), link.map(Box::from), outputs.into());
        ReplayStep { label, link, key, dur_ms, outputs, test, needs, takes }
    }
}

/// The new state of a step for the snapshot.
struct Fresh {
    record: ShelfEntry,
    /// `Some(None)` if it should have a link but the result is missing.
    result: Option<Option<PatchedResult>>,
}

impl<'a> Replay<'a> {
    /// Returns what `differences` reach. None if the snapshot alone does not tell, or if a result
    /// that is needed is no longer in the store unchanged. Large data is spooled to a file in `spare`.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        differences: &Differences,
        store: &'a Store,
        spare: ConfinedPath,
    ) -> Option<Replay<'a>> {
        let changed: HashMap<RelPath, FileState> =
            differences.changed.iter().map(|file| (file.path.clone(), file.seen.clone())).collect();
        let order = with_dependents(snapshot, users_of(snapshot, &differences.changed))?;
        // Only the few fields of a step that are needed all the time are kept; its record is read again when it is pinned. Kept
        // whole, the records of a deep change at 10,000 packages took half of the peak memory.
        let records: Option<BTreeMap<usize, ReplayStep>> = order
            .par_iter()
            .with_min_len(16)
            .map_init(Vec::new, |buffer, &step| {
                let record = snapshot.step(step, buffer)?;
                can_be_pinned(&record.result, &changed, store)?;
                Some((step, record.into()))
            })
            .collect();
        let records = records?;
        let others = needed(snapshot, &records, store)?;
        let (fresh, shelf) = (Mutex::default(), Shelf::new(spare));
        let order = order.into_iter().map(StepId).collect();
        let shared = SharedFiles::default();
        Some(Replay { snapshot, store, changed, records, others, order, fresh, shelf, shared })
    }

    /// Returns the known results of steps before any of these is performed.
    pub(crate) fn results(&self) -> Results {
        let results = Results::new(self.snapshot.steps());
        for (step, done) in &self.others {
            results.put(StepId(*step), done.clone());
        }
        results
    }

    /// Returns the steps to perform again.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (StepId, &ReplayStep)> {
        self.order.iter().filter_map(|step| Some((*step, self.records.get(&step.0)?)))
    }

    /// Passes the present record of a step to `tell`.
    pub(crate) fn record<T>(
        &self,
        step: usize,
        tell: impl FnOnce(&StepRecord<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut buffer = Vec::new();
        match lock(&self.fresh).get(&step) {
            Some(fresh) => tell(&StepRecord::decode(fresh.record.read(&mut buffer)?)?),
            None => tell(&self.snapshot.step(step, &mut buffer)?),
        }
    }

    /// Returns the link of a step, if it has one.
    pub(crate) fn link_of(&self, step: StepId) -> Option<&str> {
        self.records.get(&step.0)?.link.as_deref()
    }

    /// Returns the changes to the snapshot; `links` are proofs for links, by the numbers of their results. None if a result
    /// is missing.
    pub(crate) fn changes(
        self,
        differences: Differences,
        links: Vec<(u32, Proof)>,
    ) -> Option<Changes> {
        let Differences { changed, files: file_proofs, dirs: dir_proofs } = differences;
        let files = changed.iter().map(|file| Some((file.number, record_of(self.snapshot, file)?)));
        let files = files.collect::<Option<_>>()?;
        let mut patch = Patch { files, file_proofs, dir_proofs, links, ..Patch::default() };
        let mut steps = Vec::new();
        let fresh = self.fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (step, Fresh { record, result }) in fresh {
            if let (Some(number), Some(result)) = (self.snapshot.result_of(step), result) {
                patch.results.push((u32::try_from(number).ok()?, result?));
            }
            steps.push((u32::try_from(step).ok()?, record));
        }
        Some(Changes { patch, steps })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the present record of a file.
fn record_of(snapshot: &Snapshot, changed: &ChangedFile) -> Option<FileRecord> {
    let ChangedFile { number, seen, signature, settled, path: _ } = changed;
    let old = snapshot.file(*number as usize)?;
    let FileState::File { blob, executable, .. } = seen else { return None };
    let kind = FileKind::File { executable: *executable };
    Some(FileRecord { kind, signature: *signature, settled: *settled, blob: *blob, ..old })
}

/// Returns the steps that have a changed file among their inputs.
pub(super) fn users_of(snapshot: &Snapshot, changed: &[ChangedFile]) -> Vec<usize> {
    let users = snapshot.users();
    let mut found: Vec<usize> = Vec::new();
    for file in changed.iter().map(|file| file.number as usize) {
        let first = partition(users.len(), |at| {
            users.get(at).is_some_and(|user| (user.file as usize) < file)
        });
        let of_file = (first..users.len())
            .map_while(|at| users.get(at).filter(|user| user.file as usize == file));
        found.extend(of_file.map(|user| user.step as usize));
    }
    found
}

/// Returns these steps and all their dependents; dependencies first.
pub(super) fn with_dependents(snapshot: &Snapshot, mut open: Vec<usize>) -> Option<Vec<usize>> {
    let mut marked = BTreeSet::new();
    while let Some(step) = open.pop() {
        if marked.insert(step) {
            open.extend(snapshot.dependents(step)?);
        }
    }
    let needs = marked
        .iter()
        .map(|&step| Some((step, snapshot.needs(step)?)))
        .collect::<Option<BTreeMap<_, _>>>()?;
    let graph = graph_of(needs.iter().map(|(step, needs)| (*step, needs.iter().copied())));
    Some(sort(&graph).0.into_iter().map(|node| graph[node]).collect())
}

fn partition(length: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Returns none if a step cannot be pinned again from its record alone: a tree that has to be assembled again requires
/// a full build, and a tree that is reused must still be in the store.
pub(super) fn can_be_pinned(
    result: &StepResult<'_>,
    changed: &HashMap<RelPath, FileState>,
    store: &Store,
) -> Option<()> {
    let is_there = |tree| matches!(store.tree(tree), Ok(Lookup::Hit(_)));
    let own = result.own.inputs()?;
    for (_, input) in own.iter().chain(&result.inputs) {
        match input {
            InputRecord::Tree { tree, origin } => {
                (!is_made_anew(origin, changed) && is_there(tree)).then_some(())?;
            }
            InputRecord::Stored { tree, .. } => is_there(tree).then_some(())?,
            _ => {}
        }
    }
    match &result.root {
        RootRecord::Tree { tree, origin } => {
            (!is_made_anew(origin, changed) && is_there(tree)).then_some(())?;
        }
        RootRecord::Ware { ware, origin } => {
            (!is_made_anew(origin, changed) && has_root(ware, store)).then_some(())?;
        }
        RootRecord::Host | RootRecord::Empty | RootRecord::Output { .. } => {}
    }
    Some(())
}

/// Returns whether the files of an image are unpacked, together with its declared owners and modes.
fn has_root(ware: &WareId, store: &Store) -> bool {
    let meter = Meter::default();
    let images = Images::new(store, Web::new(store.route().clone()), &meter);
    let cache = WareCache::new(&store.ware_cache_dir());
    images.declared(ware).is_some() && cache.state(ware, &[]) == Cached::Untouched
}

/// Returns whether a tree has to be assembled again, from files or an output that may have changed.
fn is_made_anew(origin: &TreeOrigin, changed: &HashMap<RelPath, FileState>) -> bool {
    match origin {
        TreeOrigin::Files { files, .. } => files.iter().any(|file| changed.contains_key(file)),
        TreeOrigin::Archive(_) => true,
        TreeOrigin::Named => false,
    }
}

/// Returns the results of other steps that these steps need and that must still be in the store.
fn needed(
    snapshot: &Snapshot,
    records: &BTreeMap<usize, ReplayStep>,
    store: &Store,
) -> Option<HashMap<usize, StepOutput>> {
    let mut others = HashMap::new();
    let mut buffer = Vec::new();
    for record in records.values() {
        for &StepId(need) in record.needs.iter().chain(&record.takes) {
            if records.contains_key(&need) || others.contains_key(&need) {
                continue;
            }
            let StepResult { key, tree, manifest, .. } = snapshot.step(need, &mut buffer)?.result;
            matches!(store.action(&key), Ok(Lookup::Hit(_))).then_some(())?;
            others.insert(need, StepOutput { tree, manifest: manifest.into_owned() });
        }
    }
    Some(others)
}

impl Steps for Replay<'_> {
    fn order(&self) -> &[StepId] {
        &self.order
    }

    fn needs(&self, step: StepId) -> Vec<StepId> {
        let needs = self.records.get(&step.0).map(|record| &*record.needs).unwrap_or_default();
        needs.iter().copied().filter(|need| self.records.contains_key(&need.0)).collect()
    }

    fn label(&self, step: StepId) -> &str {
        self.records.get(&step.0).map(|record| &*record.label).unwrap_or_default()
    }

    fn is_requested(&self, step: StepId) -> bool {
        self.records.get(&step.0).is_some_and(|record| record.link.is_some())
    }

    fn test(&self, step: StepId) -> Option<TestPolicy> {
        let retries = self.records.get(&step.0)?.test?;
        Some(TestPolicy { retries })
    }

    fn step(&self, step: StepId, _ground: &StepContext<'_>) -> Result<Step, Box<Diagnostic>> {
        let now = |path: &str| {
            self.changed.get(path).map(|seen| match seen {
                FileState::File { blob, size, executable } => Some((*blob, *size, *executable)),
                _ => None,
            })
        };
        let mut buffer = Vec::new();
        let record = self.snapshot.step(step.0, &mut buffer);
        record.and_then(|record| record.result.to_step(&self.shared, now)).ok_or_else(|| {
            let message = format!("{}: the kind of an input has changed", self.label(step));
            Box::new(Diagnostic::error(Class::Evaluation, message).help("run the build again"))
        })
    }

    fn done(&self, step: StepId, kept: &StepSuccess<'_>) -> Result<(), Box<Diagnostic>> {
        let Some(record) = self.records.get(&step.0) else { return Ok(()) };
        let ReplayStep { label, link, outputs, test, needs, .. } = record;
        let (link, needs) = (link.as_deref(), Cow::Borrowed(&**needs));
        // A step that comes from a module can always be recorded.
        let Some(result) = StepResult::of(kept) else { return Ok(()) };
        let test = *test;
        let record = StepRecord { label, link, outputs, test, needs, result };
        let place = || self.store.tree_place(&kept.done.tree);
        let result = link.map(|_| result_at(&place(), &kept.done.manifest));
        let fresh = Fresh { record: self.shelf.put(&record.encode()), result };
        lock(&self.fresh).insert(step.0, fresh);
        Ok(())
    }
}

impl Snapshot {
    /// Returns the history in the snapshot, for a checkout that started from it and has none of its own.
    pub(crate) fn history(&self) -> History {
        let mut history = History::default();
        let mut buffer = Vec::new();
        for step in 0..self.steps() {
            if let Some(record) = self.step(step, &mut buffer) {
                history.note(record.label, record.result.key, record.result.dur_ms);
            }
        }
        history
    }
}
