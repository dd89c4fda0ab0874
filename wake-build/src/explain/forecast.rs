//! Forecasts: the keys that modules would have, computed without building.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;
use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{Digest, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::pin::{pin, platform};
use wake_steps::step::{Root, TreeOrigin};
use wake_steps::wares::Wares;
use wake_steps::{Cancel, Input, Results, Step, StepContext, StepId, read_name};

use super::{Explained, warnings};
use crate::build::{foresight_key, ignore_state_dir};
use crate::files::now;
use crate::lower::{Lowering, step_id};
use crate::plan::Wish;
use crate::purpose::{Purpose, TagSelection};
use crate::session::Session;
use crate::snapshot::{Snapshot, Spool, StepRecord};
use crate::target::TargetPattern;

/// The version of the stored forecasts of a revision.
const VERSION: u32 = 3;

/// The forecasts of the modules that targets name, by label.
///
/// A forecast is the key of a module's action in which the outputs of other modules are named by their forecasts: it differs
/// between two states of a workspace if anything differs that the command sees, or that its inputs are made from.
///
/// If a command's depfile says what it reads, there is a second forecast, in which that stands for all that it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecasts(BTreeMap<String, Forecast>);

/// The forecast of one module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forecast {
    /// By what its command sees.
    seen: String,
    /// By what its command reads and that is made from; none if that is not known to be less.
    read: Option<String>,
}

impl Forecast {
    pub(super) fn new(seen: &Digest, read: Option<&Digest>) -> Forecast {
        Forecast { seen: seen.to_string(), read: read.map(ToString::to_string) }
    }
}

impl Forecasts {
    pub(super) fn of(forecasts: impl Iterator<Item = (String, Forecast)>) -> Forecasts {
        Forecasts(forecasts.collect())
    }

    /// Returns whether there is a module with this label.
    pub fn has(&self, label: &str) -> bool {
        self.0.contains_key(label)
    }

    /// Returns whether the module with this label has the same forecast in `others`.
    pub fn is_same(&self, label: &str, others: &Forecasts) -> bool {
        match (self.0.get(label), others.0.get(label)) {
            (Some(one), Some(other)) => {
                one.seen == other.seen || (one.read.is_some() && one.read == other.read)
            }
            _ => false,
        }
    }

    /// Returns the labels, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Session {
    /// Returns the forecasts of all modules that `targets` name, including tests. Evaluates, and performs nothing.
    pub fn forecasts(&self, targets: &[TargetPattern]) -> Result<Explained<Forecasts>, Failure> {
        self.forecasts_by_plan(targets, None)
    }

    /// The same for a checkout that is asked repeatedly: the result is kept in its state, and if only the content
    /// of files has changed since, nothing is planned.
    pub fn forecasts_again(
        &self,
        targets: &[TargetPattern],
    ) -> Result<Explained<Forecasts>, Failure> {
        let key = foresight_key(self, targets);
        match self.forecasts_by_foresight(&key) {
            Some(explained) => Ok(explained),
            None => self.forecasts_by_plan(targets, Some(&key)),
        }
    }

    /// Plans, and keeps the result in the state of the checkout if there is a key for it.
    fn forecasts_by_plan(
        &self,
        targets: &[TargetPattern],
        key: Option<&Digest>,
    ) -> Result<Explained<Forecasts>, Failure> {
        // Creates the state directory first, so that the root looks the same next time.
        ignore_state_dir(&self.state_dir());
        let began = now();
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let wish = Wish { purpose: &Purpose::Everything, tags: &TagSelection::default() };
        let planned = checkout.plan(&evaluator, targets, None, wish, false)?;
        let plan = &planned.plan;
        let lowering =
            Lowering::new(plan, &planned.instances, &evaluator, self.store(), &checkout.locked)
                .promising();
        let results = Results::new(plan.graph.node_count());
        let cancel = Cancel::new()
            .map_err(|error| Diagnostic::error(Class::Environment, error.to_string()))?;
        let wares = Wares::new(self.store(), cancel.meter());
        let ground = StepContext { results: &results, wares: &wares, tell: &|_| {} };
        let spool = key.map(|_| Spool::new(&self.spare_dir(), plan.graph.node_count()));
        let mut naming = Naming::new(self, &ground);
        for &node in &plan.order {
            let step = lowering.step(node, &ground).map_err(|diagnostic| *diagnostic)?;
            let (id, module) = (step_id(node), &plan.graph[node]);
            let named = naming.name(id, &module.label, &step)?;
            if let Some(spool) = &spool {
                let needs = plan.graph.neighbors(node).map(step_id).collect();
                let record =
                    StepRecord::foreseen(&module.label, module.requested, needs, &step, named);
                record.iter().for_each(|record| spool.put(id, record));
            }
        }
        let forecast = |(step, seen): (&StepId, &Digest)| {
            let module = &plan.graph[NodeIndex::new(step.0)];
            let forecast = Forecast::new(seen, naming.read.get(step));
            module.requested.then(|| (module.label.clone(), forecast))
        };
        let answer = Forecasts::of(naming.seen.iter().filter_map(forecast));
        if let (Some(key), Some(records)) = (key, spool.and_then(Spool::finish)) {
            let has_host_packages = lowering.has_host_packages();
            self.keep_foresight(key, &checkout, &planned, records, has_host_packages, began);
        }
        self.keep_evaluations(&checkout)?;
        Ok(Explained { answer, warnings: warnings(&planned) })
    }

    /// Returns the forecasts of a state of the workspace that were stored under a name, if they were made for a machine like this.
    pub fn kept_forecasts(&self, name: &str) -> Result<Option<Forecasts>, Failure> {
        let bytes = self.store().memo().get(&self.forecasts_key(name)?);
        let kept: Option<(u32, Forecasts)> =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(kept.filter(|(version, _)| *version == VERSION).map(|(_, forecasts)| forecasts))
    }

    /// Stores the forecasts of a state of the workspace under a name derived from its content.
    pub fn keep_forecasts(&self, name: &str, forecasts: &Forecasts) -> Result<(), Failure> {
        let key = self.forecasts_key(name)?;
        // If they cannot be stored, they are computed again.
        if let Ok(bytes) = serde_json::to_vec(&(VERSION, forecasts)) {
            self.store().memo().put(key, bytes);
        }
        let flushed = self.store().flush_memo();
        flushed.map_err(|error| store_failure(&error).into())
    }

    /// Returns a digest of everything that keys depend on besides the content of the workspace.
    fn forecasts_key(&self, name: &str) -> Result<Digest, Failure> {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.list(8);
        e.text("forecasts");
        e.text(env!("CARGO_PKG_VERSION"));
        e.text(wake_eval::ENGINE);
        e.uint(wake_eval::API_VERSION.into());
        e.text(self.machine.sandbox().as_ref());
        e.text(&platform());
        e.digest(&self.machine.host()?.0);
        e.text(name);
        Ok(digest_bytes(Domain::Evaluation, &bytes))
    }
}

/// Names the outputs of steps, each after its dependencies.
pub(super) struct Naming<'a> {
    session: &'a Session,
    ground: &'a StepContext<'a>,
    /// By what their commands see.
    pub(super) seen: Names,
    /// By what their commands read, where that or a dependency is known to be less.
    pub(super) read: Names,
}

/// The names of the outputs of steps.
type Names = BTreeMap<StepId, Digest>;

impl<'a> Naming<'a> {
    pub(super) fn new(session: &'a Session, ground: &'a StepContext<'a>) -> Naming<'a> {
        Naming { session, ground, seen: Names::new(), read: Names::new() }
    }

    /// Names the output of a step.
    pub(super) fn name(
        &mut self,
        id: StepId,
        label: &str,
        step: &Step,
    ) -> Result<(Digest, Option<Digest>), Failure> {
        let Naming { session, ground, seen, read } = self;
        let pinned = |step: Step| {
            pin(step, ground, &|| session.machine.host(), session.machine.sandbox())
                .map_err(|error| error.diagnostic(label, session.store()))
        };
        let says = step.terms.depfile.is_some();
        let is_narrowed = needs(step).any(|need| read.contains_key(&need));
        let narrowed = is_narrowed
            .then(|| promised(step.clone(), &|need| read.get(&need).or_else(|| seen.get(&need))));
        let by_sight = pinned(promised(step.clone(), &|need| seen.get(&need)))?;
        let by_sight_name = by_sight.action.digest().0;
        seen.insert(id, by_sight_name);
        if !says && !is_narrowed {
            return Ok((by_sight_name, None));
        }
        let by_read = narrowed.map_or(Ok(by_sight), pinned)?;
        let name = match says {
            true => read_name(&by_read, session.store()).map_err(|error| store_failure(&error))?,
            false => None,
        };
        let name =
            (name.is_some() || is_narrowed).then(|| name.unwrap_or(by_read.action.digest().0));
        if let Some(name) = name {
            read.insert(id, name);
        }
        Ok((by_sight_name, name))
    }
}

/// Returns the steps whose output a step uses.
fn needs(step: &Step) -> impl Iterator<Item = StepId> {
    let of_root = match &step.root {
        Root::Output { step, .. } => Some(*step),
        _ => None,
    };
    let of_inputs = step.inputs.iter().filter_map(|(_, input)| match input {
        Input::Output { step, .. } => Some(*step),
        _ => None,
    });
    of_inputs.chain(of_root)
}

/// Returns a step in which the outputs of other steps are trees with those names.
fn promised<'n>(mut step: Step, names: &dyn Fn(StepId) -> Option<&'n Digest>) -> Step {
    let tree = |made: StepId, below: &RelPath| {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.list(2);
        match names(made) {
            Some(name) => e.digest(name),
            // Every step comes after its dependencies.
            None => e.none(),
        }
        e.text(below.as_str());
        TreeDigest(digest_bytes(Domain::Evaluation, &bytes))
    };
    let named = |made: StepId, below: &RelPath| (tree(made, below), TreeOrigin::Named);
    step.inputs = step.inputs.map_single(|input| {
        let Input::Output { step: made, below } = input else { return None };
        let (tree, origin) = named(*made, below);
        Some(Input::Tree { tree, origin })
    });
    if let Root::Output { step: made, below } = &step.root {
        let (tree, origin) = named(*made, below);
        step.root = Root::Tree { tree, origin };
    }
    step
}
