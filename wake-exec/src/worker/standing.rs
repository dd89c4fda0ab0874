//! Root directories that are kept from one job to the next.

use std::collections::HashMap;
use std::ffi::CString;

use wake_model::RelPath;

use super::beside::MemoryDirs;
use super::layers::Layers;
use super::view::RootView;
use crate::job::{Job, JobRoot, Source, WorkPlace};

/// The properties that jobs must share to use the same root directory.
type RootKind = (JobRoot, Option<RelPath>);

/// The root directories that are ready for the next job.
#[derive(Default)]
pub(crate) struct StandingRoots {
    ready: HashMap<RootKind, StandingRoot>,
    /// Those that are used up; tearing them down takes a moment.
    spent: Vec<StandingRoot>,
}

/// A root directory with leftovers of its commands, which are removed with it.
pub(crate) struct StandingRoot {
    pub(crate) view: RootView,
    /// The file systems that the last command had beside its work directory.
    pub(crate) beside: Option<MemoryDirs>,
    /// The layers below the work directories of commands.
    pub(crate) layers: Layers,
    /// The places with mounts of an earlier command.
    taken: Vec<CString>,
    jobs: usize,
    /// Bytes in memory left behind by earlier commands.
    held: u64,
}

/// A root directory is torn down after this many jobs.
const JOBS: usize = 64;

/// Or when their leftovers add up to this many bytes.
const HELD: u64 = 8 << 20;

impl StandingRoot {
    /// Creates one in which no command has run.
    pub(crate) fn new(view: RootView) -> Self {
        let (beside, layers, taken) = (None, Layers::default(), Vec::new());
        StandingRoot { view, beside, layers, taken, jobs: 0, held: 0 }
    }

    /// Returns those of `places` with mounts of an earlier command.
    pub(crate) fn past(&self, places: &[CString]) -> Vec<CString> {
        places.iter().filter(|place| self.taken.contains(place)).cloned().collect()
    }

    /// Records what the command that has just run was given: the places, what can be reused for the next command, and
    /// how many bytes it leaves behind.
    pub(crate) fn served(&mut self, places: Vec<CString>, beside: Option<MemoryDirs>, held: u64) {
        let new: Vec<CString> =
            places.into_iter().filter(|place| !self.taken.contains(place)).collect();
        self.taken.extend(new);
        self.beside = beside.or(self.beside.take());
        self.jobs += 1;
        self.held += held;
    }

    fn is_spent(&self) -> bool {
        self.jobs >= JOBS || self.held >= HELD
    }
}

impl StandingRoots {
    /// Returns whether a root directory for `job` can serve other jobs: it shows nothing that belongs to one job alone,
    /// and nothing in it must be removed from the host when the job is done.
    pub(crate) fn can_have(job: &Job) -> bool {
        matches!(job.root, JobRoot::Host | JobRoot::Empty)
            && matches!(job.scratch, WorkPlace::Memory)
            && outside_work(job).is_empty()
            && job.devices.is_empty()
    }

    /// Returns one for `job`, if one is ready.
    pub(crate) fn take(&mut self, job: &Job) -> Option<StandingRoot> {
        if Self::can_have(job) { self.ready.remove(&kind(job)) } else { None }
    }

    /// Keeps the one used by `job`, if other jobs can use it.
    pub(crate) fn give_back(&mut self, job: &Job, stand: StandingRoot) {
        if !Self::can_have(job) {
            return;
        }
        if stand.is_spent() {
            self.spent.push(stand);
        } else {
            self.ready.insert(kind(job), stand);
        }
    }

    /// Tears down those that are used up.
    pub(crate) fn tidy(&mut self) {
        self.spent.clear();
    }
}

/// Returns the inputs outside the work directory.
pub(crate) fn outside_work(job: &Job) -> Vec<(&RelPath, &Source)> {
    let inside = |path: &RelPath| job.work.as_ref().is_some_and(|work| path.starts_with(work));
    let inputs = job.inputs.iter().filter(|input| !inside(&input.path));
    inputs.map(|input| (&input.path, &input.source)).collect()
}

fn kind(job: &Job) -> RootKind {
    (job.root.clone(), job.work.clone())
}
