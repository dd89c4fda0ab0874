//! Forecast steps in a snapshot: nothing was built, and keys are forecasts.

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

/// A forecast step.
pub(crate) struct Foreseen {
    /// Its label.
    pub(crate) label: String,
    /// Whether a target names it.
    pub(crate) is_requested: bool,
    /// Its forecast by what it sees.
    pub(crate) seen: Digest,
    /// Its forecast by what it reads, if that is known to be less.
    pub(crate) read: Option<Digest>,
    /// Whether its command has a depfile.
    pub(crate) says: bool,
}

/// Stands for a missing key.
const NONE: Digest = Digest::from_bytes([0; 32]);

/// Returns the path of the snapshot of forecasts: one for each checkout, for the targets that were last asked about.
pub(crate) fn foresight_place(state_dir: &ConfinedPath) -> ConfinedPath {
    state_dir.join(format!("{STATE}/forecasts"))
}

impl<'a> StepRecord<'a> {
    /// Returns the record of a step that was not built; none if the step does not come from a module.
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
    /// Returns the forecast of each step; none if something is damaged.
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

    /// Returns the steps with a changed file among their inputs, those in `others`, and all their dependents; dependencies first.
    pub(crate) fn reached(
        &self,
        changed: &[ChangedFile],
        mut others: Vec<usize>,
    ) -> Option<Vec<usize>> {
        others.extend(users_of(self, changed));
        with_dependents(self, others)
    }

    /// Returns a step as it is with `changed` files; none if its record is not enough for that.
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
