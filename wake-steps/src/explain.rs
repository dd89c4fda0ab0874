//! Explaining steps without running them: what would run, why, and where a difference comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use wake_model::action::FieldValue;
use wake_model::place::HOST_PACKAGES;
use wake_model::{ActionDigest, RelPath, TreeDigest};

use crate::cancel::Cancel;
use crate::claims::look_up;
use crate::diagnostic::Failure;
use crate::error::{StepError, store_failure};
use crate::history::History;
use crate::hosts::{self, HostChange};
use crate::machine::Machine;
use crate::own_tree;
use crate::pin::{PinnedAction, StepContext};
use crate::reason::{Change, Reason, changes, fields_of, reason};
use crate::results::{Results, StepOutput};
use crate::step::{Input, Root, SourceBase, SourceFile, StepId, TreeOrigin};
use crate::steps::{Steps, pinned};
use crate::wares::Wares;

/// Steps that are examined but not performed.
pub struct Outlook<'a> {
    machine: &'a Machine,
    steps: &'a dyn Steps,
    results: &'a Results,
    history: &'a History,
    wares: Wares<'a>,
}

/// One step of the plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStep {
    /// Its number.
    pub id: usize,
    /// Its label.
    pub label: String,
    /// What would happen to it.
    pub state: PlannedState,
    /// Why.
    pub reason: String,
    /// Its key in the action cache, if known.
    pub key: Option<String>,
    /// The steps that it depends on.
    pub needs: Vec<usize>,
    /// Milliseconds that it took last time.
    pub usual_ms: Option<u64>,
}

/// What would happen to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedState {
    /// Its result is cached.
    Hit,
    /// It would run.
    Run,
    /// A dependency would run, or be fetched: if its result is what it was before, this is a hit.
    Unknown,
}

/// Why a step ran, or would run.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Its label.
    pub label: String,
    /// The answer in one sentence.
    pub summary: String,
    /// The fields that differ, in order.
    pub changes: Vec<WhyChange>,
    /// How many fields are equal.
    pub unchanged: usize,
}

/// One field that differs.
#[derive(Clone, Debug, Serialize)]
pub struct WhyChange {
    /// Its name: `env.CFLAGS`, `inputs.src/a.c`.
    pub field: String,
    /// Its value before.
    pub old: Option<String>,
    /// Its value now.
    pub new: Option<String>,
    /// The file that changed, or the place in the source that sets the value.
    pub place: Option<String>,
    /// Why the step that produced it ran.
    pub because: Option<Box<Why>>,
}

/// What caused a difference.
#[derive(Default)]
struct Cause {
    /// The file that changed, or the place in the source that sets the value.
    place: Option<String>,
    /// Why the step that produced it ran.
    because: Option<Box<Why>>,
}

impl<'a> Outlook<'a> {
    /// Looks up the cached results of all steps, dependencies first, as far as there are any.
    pub fn new(
        machine: &'a Machine,
        steps: &'a dyn Steps,
        results: &'a Results,
        history: &'a History,
        cancel: &'a Cancel,
    ) -> Outlook<'a> {
        let wares = Wares::new(machine.store(), cancel.meter());
        Outlook { machine, steps, results, history, wares }
    }

    /// Returns what would happen to each step, dependencies first.
    pub fn plan(&self) -> Result<Vec<PlannedStep>, Failure> {
        self.steps.order().iter().map(|&step| self.planned(step)).collect()
    }

    /// Returns the first dependency of `step` without a cached result; its own dependencies must have been asked before.
    pub fn waits_for(&self, step: StepId) -> Option<StepId> {
        self.steps.needs(step).into_iter().find(|&need| self.results.get(need).is_none())
    }

    /// Pins a step whose dependencies are all remembered.
    pub fn pin(&self, step: StepId) -> Result<PinnedAction, Failure> {
        self.pinned(step).map_err(|error| self.failed(step, &error))
    }

    fn pinned(&self, step: StepId) -> Result<PinnedAction, StepError> {
        let ground = StepContext { results: self.results, wares: &self.wares, tell: &|_| {} };
        pinned(self.steps, step, &ground, self.machine)
    }

    fn failed(&self, step: StepId, error: &StepError) -> Failure {
        error.diagnostic(self.steps.label(step), self.machine.store()).into()
    }

    /// Returns what would happen to a step; its dependencies must have been asked before.
    pub fn planned(&self, step: StepId) -> Result<PlannedStep, Failure> {
        let (state, reason, key) = match self.waits_for(step) {
            Some(need) => {
                let waits = format!("waits for {}", self.steps.label(need));
                (PlannedState::Unknown, waits, None)
            }
            None => self.key_state(step)?,
        };
        Ok(PlannedStep {
            id: step.0,
            label: self.steps.label(step).to_owned(),
            state,
            reason,
            key: key.map(|key| key.to_string()),
            needs: self.steps.needs(step).into_iter().map(|need| need.0).collect(),
            usual_ms: self.history.get(self.steps.past_name(step)).map(|past| past.dur_ms),
        })
    }

    fn key_state(
        &self,
        step: StepId,
    ) -> Result<(PlannedState, String, Option<ActionDigest>), Failure> {
        let pinned = match self.pinned(step) {
            Ok(pinned) => pinned,
            Err(StepError::Absent { of }) => {
                return Ok((PlannedState::Unknown, format!("waits for {of}"), None));
            }
            Err(error) => return Err(self.failed(step, &error)),
        };
        let (bytes, key) = pinned.action.encode_with_digest();
        if !pinned.is_hermetic() {
            return Ok((PlannedState::Run, Reason::NotRemembered.to_string(), Some(key)));
        }
        let store = self.machine.store();
        let found =
            look_up(&pinned, store, &key).map_err(|error| Failure::from(store_failure(&error)))?;
        Ok(match found.result {
            Some((stored, why)) => {
                let tree = stored.tree();
                self.results.put(step, StepOutput { tree, manifest: stored.into_record().outputs });
                (PlannedState::Hit, why.to_string(), Some(key))
            }
            None => {
                let past = self.history.get(self.steps.past_name(step));
                own_tree::remember(store, &pinned.inputs);
                (PlannedState::Run, reason(store, past, &key, &bytes).to_string(), Some(key))
            }
        })
    }

    /// Explains why a step last ran, or would run now.
    pub fn why(&self, step: StepId) -> Result<Why, Failure> {
        let label = self.steps.label(step).to_owned();
        if let Some(need) = self.waits_for(step) {
            let inner = self.why(need)?;
            let change = WhyChange {
                field: format!("outputs of {}", inner.label),
                old: None,
                new: None,
                place: None,
                because: Some(Box::new(inner)),
            };
            let summary = format!("{label} can be compared only after its dependencies have run");
            return Ok(Why { label, summary, changes: vec![change], unchanged: 0 });
        }
        let nothing = |summary: String| {
            Ok(Why { label: label.clone(), summary, changes: Vec::new(), unchanged: 0 })
        };
        let Some(past) = self.history.get(self.steps.past_name(step)) else {
            return nothing(format!("{label}: {}", Reason::New));
        };
        let pinned = match self.pinned(step) {
            Ok(pinned) => pinned,
            Err(StepError::Absent { of }) => {
                return nothing(format!(
                    "{label} can be compared only after {of} has been fetched"
                ));
            }
            Err(error) => return Err(self.failed(step, &error)),
        };
        let key = pinned.action.digest();
        let (old_key, tense) = match past.last == key {
            true if past.before == past.last => {
                return nothing(format!(
                    "{label} has had the same key since it was first built here"
                ));
            }
            true => (past.before, "ran last"),
            false => (past.last, "would run"),
        };
        let Some(mut old) = fields_of(self.machine.store(), &old_key) else {
            return nothing(format!("{label} {tense}: {}", Reason::Incomparable));
        };
        let mut new = pinned.action.fields();
        own_tree::remember(self.machine.store(), &pinned.inputs);
        own_tree::tell_files(self.machine.store(), &mut old, &mut new);
        let found = changes(&old, &new);
        let added = found.iter().filter(|change| change.new.is_some()).count();
        let unchanged = new.len().saturating_sub(added);
        let explained = found.iter().map(|change| self.explain(step, &pinned, change));
        let changes = explained.collect::<Result<_, _>>()?;
        let summary = match found.first() {
            Some(_) if self.is_one_run(&old_key, &key) => {
                format!("{label} did not run: its depfile does not list what changed")
            }
            Some(first) => format!("{label} {tense} because of: {first}"),
            None => format!("{label} {tense}; no field differs"),
        };
        Ok(Why { label, summary, changes, unchanged })
    }

    /// Returns whether the results of two actions came from one run.
    fn is_one_run(&self, one: &ActionDigest, other: &ActionDigest) -> bool {
        let guid = |key| {
            let stored = self.machine.store().action_record(key).ok()??;
            Some(stored.record().guid.clone())
        };
        guid(one).is_some_and(|run| guid(other) == Some(run))
    }

    fn explain(
        &self,
        step: StepId,
        pinned: &PinnedAction,
        change: &Change,
    ) -> Result<WhyChange, Failure> {
        let path = change.key.as_deref().and_then(|key| RelPath::parse(key).ok());
        let below = path.and_then(|path| path.strip(&pinned.action.work));
        let Cause { place, because } = match (change.group.as_str(), &below) {
            ("inputs", Some(below)) => self.cause_of_input(step, pinned, below, change)?,
            ("rootfs", _) => self.cause_of_root(step, pinned, change)?,
            _ => Cause { place: self.steps.place_of(step, change), because: None },
        };
        let field = match (&change.key, below) {
            (_, Some(below)) if !below.is_root() => format!("{}.{below}", change.group),
            (Some(key), _) => format!("{}.{key}", change.group),
            (None, _) => change.group.clone(),
        };
        let text = |value: &Option<FieldValue>| value.as_ref().map(ToString::to_string);
        Ok(WhyChange { field, old: text(&change.old), new: text(&change.new), place, because })
    }

    /// Finds the cause of a change in an input.
    fn cause_of_input(
        &self,
        step: StepId,
        pinned: &PinnedAction,
        path: &RelPath,
        change: &Change,
    ) -> Result<Cause, Failure> {
        match pinned.inputs.get(path.as_str()) {
            Some(Input::Output { step: made, .. }) => self.cause_of_step(step, *made),
            Some(Input::File(SourceFile { base: SourceBase::Dir(dir), below, .. })) => {
                Ok(Cause { place: Some(dir.join(below).to_string()), because: None })
            }
            Some(Input::Tree { origin, .. }) => self.cause_of_tree(step, origin, change),
            _ => Ok(Cause::default()),
        }
    }

    /// Finds the cause of a change in a tree.
    fn cause_of_tree(
        &self,
        step: StepId,
        origin: &TreeOrigin,
        change: &Change,
    ) -> Result<Cause, Failure> {
        match origin {
            TreeOrigin::Archive(made) => self.cause_of_step(step, *made),
            TreeOrigin::Named => {
                Ok(Cause { place: self.packages_difference(change), because: None })
            }
            TreeOrigin::Files { base, files } => {
                let is_archive = files.first() == Some(base);
                let differing = self.first_difference(change).filter(|_| !is_archive);
                let place = base.join(&differing.unwrap_or_default());
                Ok(Cause { place: Some(place.to_string()), because: None })
            }
        }
    }

    /// Finds the cause of a change in the root file system of a step.
    fn cause_of_root(
        &self,
        step: StepId,
        pinned: &PinnedAction,
        change: &Change,
    ) -> Result<Cause, Failure> {
        match &pinned.root {
            Root::Output { step: made, .. } => self.cause_of_step(step, *made),
            Root::Tree { origin, .. } => self.cause_of_tree(step, origin, change),
            Root::Host => Ok(Cause { place: None, because: self.cause_in_host(change) }),
            _ => Ok(Cause::default()),
        }
    }

    /// Explains how the host changed, if both of its identities are known.
    fn cause_in_host(&self, change: &Change) -> Option<Box<Why>> {
        let digest = |value: &Option<FieldValue>| match value {
            Some(FieldValue::Digest(kind, digest)) if kind == "host" => Some(*digest),
            _ => None,
        };
        let (old, new) = (digest(&change.old)?, digest(&change.new)?);
        let changes = hosts::changes(self.machine.store(), &old, &new)?;
        let summary = match changes.len() {
            0 => "no known part of the host differs".to_owned(),
            1 => "one thing about the host changed".to_owned(),
            several => format!("{several} things about the host changed"),
        };
        let told = |HostChange { part, old, new }: HostChange| WhyChange {
            field: part,
            old,
            new,
            place: None,
            because: None,
        };
        let changes = changes.into_iter().map(told).collect();
        Some(Box::new(Why { label: "host".to_owned(), summary, changes, unchanged: 0 }))
    }

    fn cause_of_step(&self, step: StepId, made: StepId) -> Result<Cause, Failure> {
        let because = (made != step).then(|| self.why(made)).transpose()?.map(Box::new);
        Ok(Cause { place: None, because })
    }

    /// Lists the distribution packages that differ, if both root file systems consist of packages.
    fn packages_difference(&self, change: &Change) -> Option<String> {
        /// The most packages that are named.
        const SHOWN: usize = 5;
        let listed = |value: &Option<FieldValue>| {
            let FieldValue::Digest(_, tree) = value.as_ref()? else { return None };
            let path = RelPath::parse(HOST_PACKAGES).ok()?;
            let bytes = self.machine.store().cat(&TreeDigest(*tree), &path).ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let package = |line: &str| {
                let (name, version) = line.split_once(' ')?;
                Some((name.to_owned(), version.split(' ').next()?.to_owned()))
            };
            Some(text.lines().filter_map(package).collect::<BTreeMap<String, String>>())
        };
        let (old, new) = (listed(&change.old)?, listed(&change.new)?);
        let changed = |(name, version): (&String, &String)| match old.get(name) {
            Some(before) if before == version => None,
            Some(before) => Some(format!("{name} {before} -> {version}")),
            None => Some(format!("{name} {version} added")),
        };
        let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
        let gone = gone.map(|(name, version)| format!("{name} {version} removed"));
        let all: Vec<String> = new.iter().filter_map(changed).chain(gone).collect();
        let more = all.len().saturating_sub(SHOWN);
        let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        (!text.is_empty()).then_some(text)
    }

    /// Returns the first path at which two trees differ, if the store has both.
    fn first_difference(&self, change: &Change) -> Option<RelPath> {
        let manifest = |value: &Option<FieldValue>| match value.as_ref()? {
            FieldValue::Digest(kind, tree) if kind == "tree" => {
                self.machine.store().manifest(&TreeDigest(*tree)).ok()?
            }
            FieldValue::Digest(..) | FieldValue::Text(_) | FieldValue::Uint(_) => None,
        };
        let (old, new) = (manifest(&change.old)?, manifest(&change.new)?);
        let changed = new.iter().find(|(path, node)| old.get(path) != Some(*node));
        let gone = || old.iter().find(|(path, _)| new.get(path).is_none());
        changed.or_else(gone).map(|(path, _)| path.clone())
    }
}
