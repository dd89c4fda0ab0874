//! Root directories that stand from one job to the next.

use std::collections::HashMap;
use std::ffi::CString;

use wake_model::RelPath;

use super::beside::MemoryDirs;
use super::layers::Layers;
use super::view::RootView;
use crate::job::{Job, JobRoot, Source, WorkPlace};

/// What a standing root directory depends on.
type RootKind = (JobRoot, Option<RelPath>);

/// The root directories that are ready for a next job.
#[derive(Default)]
pub(crate) struct StandingRoots {
    ready: HashMap<RootKind, StandingRoot>,
    /// Those that have served; taking them down takes a moment.
    spent: Vec<StandingRoot>,
}

/// A root directory with what is left in it, which is gone with it.
pub(crate) struct StandingRoot {
    pub(crate) view: RootView,
    /// What the last command had beside its work directory.
    pub(crate) beside: Option<MemoryDirs>,
    /// What lies below the work directories of commands.
    pub(crate) layers: Layers,
    /// The places where something lies that a command had for itself.
    taken: Vec<CString>,
    jobs: usize,
    /// The bytes in memory that earlier commands have left behind.
    held: u64,
}

/// After so many jobs one is taken down.
const JOBS: usize = 64;

/// Or when what they have left behind comes to so many bytes.
const HELD: u64 = 8 << 20;

impl StandingRoot {
    /// One in which no command has run.
    pub(crate) fn new(view: RootView) -> Self {
        let (beside, layers, taken) = (None, Layers::default(), Vec::new());
        StandingRoot { view, beside, layers, taken, jobs: 0, held: 0 }
    }

    /// Those of `places` where something of an earlier command lies.
    pub(crate) fn past(&self, places: &[CString]) -> Vec<CString> {
        places.iter().filter(|place| self.taken.contains(place)).cloned().collect()
    }

    /// Notes what the command that has just run was given: at which places, what of it may do for the next one, and how
    /// many bytes it leaves behind.
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
    /// Whether a root directory for `job` serves other jobs as well: it shows nothing that belongs to one of them
    /// alone, and nothing in it has to be removed from the host when the job is done.
    pub(crate) fn can_have(job: &Job) -> bool {
        matches!(job.root, JobRoot::Host | JobRoot::Empty)
            && matches!(job.scratch, WorkPlace::Memory)
            && outside_work(job).is_empty()
            && job.devices.is_empty()
    }

    /// One for `job`, if one stands.
    pub(crate) fn take(&mut self, job: &Job) -> Option<StandingRoot> {
        if Self::can_have(job) { self.ready.remove(&kind(job)) } else { None }
    }

    /// Keeps the one that `job` had, if other jobs can have it.
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

    /// Takes down those that have served long enough.
    pub(crate) fn tidy(&mut self) {
        self.spent.clear();
    }
}

/// The inputs that do not lie in the work directory.
pub(crate) fn outside_work(job: &Job) -> Vec<(&RelPath, &Source)> {
    let inside = |path: &RelPath| job.work.as_ref().is_some_and(|work| path.starts_with(work));
    let inputs = job.inputs.iter().filter(|input| !inside(&input.path));
    inputs.map(|input| (&input.path, &input.source)).collect()
}

fn kind(job: &Job) -> RootKind {
    (job.root.clone(), job.work.clone())
}
