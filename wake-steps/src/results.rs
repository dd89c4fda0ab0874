//! What steps that are done left behind.

use std::sync::OnceLock;

use wake_model::{Manifest, RelPath, TreeDigest};

use crate::step::StepId;

/// What one step left behind.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// The tree of its outputs.
    pub tree: TreeDigest,
    /// What is in it.
    pub manifest: Manifest,
}

/// What steps left behind, by their numbers.
#[derive(Debug)]
pub struct Results(Box<[OnceLock<StepOutput>]>);

impl Results {
    /// Of steps with numbers below `bound`, none of which is done.
    pub fn new(bound: usize) -> Results {
        Results((0..bound).map(|_| OnceLock::new()).collect())
    }

    /// What a step left, if it is done.
    pub fn get(&self, step: StepId) -> Option<&StepOutput> {
        self.0.get(step.0)?.get()
    }

    /// Notes what a step left; what is noted first stays.
    pub fn put(&self, step: StepId, done: StepOutput) {
        if let Some(slot) = self.0.get(step.0) {
            let _ = slot.set(done);
        }
    }

    /// The steps that are done, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (StepId, &StepOutput)> {
        self.0.iter().enumerate().filter_map(|(step, done)| Some((StepId(step), done.get()?)))
    }
}

impl StepOutput {
    /// Whether something lies at `below`.
    pub fn has(&self, below: &RelPath) -> bool {
        self.manifest.contains(below)
    }

    /// The tree of the directory at `below`; none if there is no directory with something in it.
    pub fn dir(&self, below: &RelPath) -> Option<TreeDigest> {
        match self.manifest.get(below) {
            Some(_) => None,
            None => Some(self.manifest.subtree(below)?.digest()),
        }
    }
}
