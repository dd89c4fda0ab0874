//! The outputs of steps that are done.

use std::sync::OnceLock;

use wake_model::{Manifest, RelPath, TreeDigest};

use crate::step::StepId;

/// The output of one step.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// The tree of its outputs.
    pub tree: TreeDigest,
    /// The content of the tree.
    pub manifest: Manifest,
}

/// The outputs of steps, by number.
#[derive(Debug)]
pub struct Results(Box<[OnceLock<StepOutput>]>);

impl Results {
    /// Creates an empty set for steps with numbers below `bound`.
    pub fn new(bound: usize) -> Results {
        Results((0..bound).map(|_| OnceLock::new()).collect())
    }

    /// Returns the output of a step, if it is done.
    pub fn get(&self, step: StepId) -> Option<&StepOutput> {
        self.0.get(step.0)?.get()
    }

    /// Sets the output of a step; the first one set stays.
    pub fn put(&self, step: StepId, done: StepOutput) {
        if let Some(slot) = self.0.get(step.0) {
            let _ = slot.set(done);
        }
    }

    /// Returns the steps that are done, in order.
    pub fn iter(&self) -> impl Iterator<Item = (StepId, &StepOutput)> {
        self.0.iter().enumerate().filter_map(|(step, done)| Some((StepId(step), done.get()?)))
    }
}

impl StepOutput {
    /// Returns whether something lies at `below`.
    pub fn has(&self, below: &RelPath) -> bool {
        self.manifest.contains(below)
    }

    /// Returns the tree of the directory at `below`; none if there is no directory with content.
    pub fn dir(&self, below: &RelPath) -> Option<TreeDigest> {
        match self.manifest.get(below) {
            Some(_) => None,
            None => Some(self.manifest.subtree(below)?.digest()),
        }
    }
}
