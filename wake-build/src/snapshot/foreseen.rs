//! Steps of which nothing was built, with the keys that were forecast of them, as a snapshot keeps them.

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;
use wake_model::{ActionDigest, Digest, RelPath, TreeDigest};
use wake_steps::{Step, StepId};
use wake_store::{ConfinedPath, Store};

use super::file::{STATE, Snapshot};
use super::replay::{can_be_pinned, users_of, with_dependents};
use super::step_record::{SharedFiles, StepRecord, StepResult};
use super::verify::ChangedFile;
use crate::files::FileState;

/// What was forecast of a step.
pub(crate) struct Foreseen {
    /// How it is called.
    pub(crate) label: String,
    /// Whether a target names it.
    pub(crate) is_requested: bool,
    /// Its key by what it sees.
    pub(crate) seen: Digest,
    /// Its key by what it reads, if that was known to be less.
    pub(crate) read: Option<Digest>,
    /// Whether its command says what it reads.
    pub(crate) says: bool,
}

/// Stands for a key that is not there.
const NONE: Digest = Digest::from_bytes([0; 32]);

/// Where the snapshot of forecasts lies: one for a checkout, of the targets that were asked about last.
pub(crate) fn foresight_place(state_dir: &ConfinedPath) -> ConfinedPath {
    state_dir.join(format!("{STATE}/forecasts"))
}

impl<'a> StepRecord<'a> {
    /// The record of a step of which nothing was built; none if it is none that a module becomes.
    pub(crate) fn foreseen(
        label: &'a str,
        is_requested: bool,
        needs: Vec<StepId>,
        step: &'a Step,
        (seen, read): (Digest, Option<Digest>),
    ) -> Option<StepRecord<'a>> {
        let (key, tree) = (ActionDigest(seen), TreeDigest(read.unwrap_or(NONE)));
        let result = StepResult::unbuilt(step, key, tree)?;
        let (needs, link) = (Cow::Owned(needs), is_requested.then_some(""));
        Some(StepRecord { label, link, outputs: "", test: None, needs, result })
    }
}

impl Snapshot {
    /// What was forecast of each step; none if something is damaged.
    pub(crate) fn foreseen(&self) -> Option<Vec<Foreseen>> {
        let foreseen = |buffer: &mut Vec<u8>, number: usize| {
            let StepRecord { label, link, result, .. } = self.step(number, buffer)?;
            let StepResult { key, tree, terms, .. } = result;
            Some(Foreseen {
                label: label.to_owned(),
                is_requested: link.is_some(),
                seen: key.0,
                read: (tree.0 != NONE).then_some(tree.0),
                says: terms.depfile.is_some(),
            })
        };
        (0..self.steps()).into_par_iter().with_min_len(64).map_init(Vec::new, foreseen).collect()
    }

    /// The steps that have a changed file among their inputs, those of `others`, and all that need these; dependencies first.
    pub(crate) fn reached(
        &self,
        changed: &[ChangedFile],
        mut others: Vec<usize>,
    ) -> Option<Vec<usize>> {
        others.extend(users_of(self, changed));
        with_dependents(self, others)
    }

    /// A step as it is where `changed` files are other ones; none if its record does not say that.
    pub(crate) fn step_now(
        &self,
        step: usize,
        changed: &HashMap<RelPath, FileState>,
        store: &Store,
        shared: &SharedFiles,
    ) -> Option<Step> {
        let mut buffer = Vec::new();
        let StepRecord { result, .. } = self.step(step, &mut buffer)?;
        can_be_pinned(&result, changed, store)?;
        result.to_step(shared, |path| {
            changed.get(path).map(|seen| match seen {
                FileState::File { blob, size, executable } => Some((*blob, *size, *executable)),
                _ => None,
            })
        })
    }
}
