//! The keys that modules would have, said without building anything.

use std::collections::BTreeMap;

use petgraph::graph::NodeIndex;
use serde::{Deserialize, Serialize};
use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{ActionDigest, Digest, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::pin::{pin, platform};
use wake_steps::step::{Root, TreeOrigin};
use wake_steps::wares::Wares;
use wake_steps::{Cancel, Input, Inputs, Results, Step, StepContext, StepId};

use super::{Explained, warnings};
use crate::lower::{Lowering, step_id};
use crate::plan::Wish;
use crate::purpose::{Purpose, TagSelection};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::target::TargetPattern;

/// The version of what is kept of a revision.
const VERSION: u32 = 1;

/// The forecasts of the modules that targets mean, by their labels.
///
/// A forecast is the key that a module's action has where what other modules leave is named by their forecasts: it differs
/// between two states of a workspace if anything that the command sees differs, or anything that what it sees is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecasts(BTreeMap<String, String>);

impl Forecasts {
    /// The forecast of the module of this label.
    pub fn get(&self, label: &str) -> Option<&str> {
        self.0.get(label).map(String::as_str)
    }

    /// The labels, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Session {
    /// The forecasts of all modules that `targets` mean, tests among them. Evaluates, and performs nothing.
    pub fn forecasts(&self, targets: &[TargetPattern]) -> Result<Explained<Forecasts>, Failure> {
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
        let mut keys: BTreeMap<StepId, ActionDigest> = BTreeMap::new();
        for &node in &plan.order {
            let key = self.forecast(&lowering, node, &ground, &keys)?;
            keys.insert(step_id(node), key);
        }
        let forecast = |(step, key): (&StepId, &ActionDigest)| {
            let module = &plan.graph[NodeIndex::new(step.0)];
            module.requested.then(|| (module.label.clone(), key.to_string()))
        };
        let answer = Forecasts(keys.iter().filter_map(forecast).collect());
        self.keep_evaluations(&checkout)?;
        Ok(Explained { answer, warnings: warnings(&planned) })
    }

    fn forecast(
        &self,
        lowering: &Lowering<'_>,
        node: NodeIndex,
        ground: &StepContext<'_>,
        keys: &BTreeMap<StepId, ActionDigest>,
    ) -> Result<ActionDigest, Failure> {
        let step = lowering.step(node, ground).map_err(|diagnostic| *diagnostic)?;
        let label = &lowering.plan.graph[node].label;
        let pinned =
            pin(promised(step, keys), ground, &|| self.machine.host(), self.machine.sandbox())
                .map_err(|error| error.diagnostic(label, self.store()))?;
        Ok(pinned.action.digest())
    }

    /// The forecasts of a state of the workspace that were kept under a name, if they were made for a machine like this.
    pub fn kept_forecasts(&self, name: &str) -> Result<Option<Forecasts>, Failure> {
        let bytes = self.store().memo().get(&self.forecasts_key(name)?);
        let kept: Option<(u32, Forecasts)> =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(kept.filter(|(version, _)| *version == VERSION).map(|(_, forecasts)| forecasts))
    }

    /// Keeps the forecasts of a state of the workspace under a name that says what is in it.
    pub fn keep_forecasts(&self, name: &str, forecasts: &Forecasts) -> Result<(), Failure> {
        let key = self.forecasts_key(name)?;
        // They are made anew where they cannot be kept.
        if let Ok(bytes) = serde_json::to_vec(&(VERSION, forecasts)) {
            self.store().memo().put(key, bytes);
        }
        let flushed = self.store().flush_memo();
        flushed.map_err(|error| wake_steps::error::store_failure(&error).into())
    }

    /// Everything that keys hang on beside what is in the workspace.
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

/// A step in which what other steps leave is a tree named by their forecasts.
fn promised(mut step: Step, keys: &BTreeMap<StepId, ActionDigest>) -> Step {
    let tree = |made: StepId, below: &RelPath| {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.list(2);
        match keys.get(&made) {
            Some(key) => e.digest(&key.0),
            // Every step comes after those that it needs.
            None => e.none(),
        }
        e.text(below.as_str());
        TreeDigest(digest_bytes(Domain::Evaluation, &bytes))
    };
    let named = |made: StepId, below: &RelPath| (tree(made, below), TreeOrigin::Named);
    let mut inputs = Inputs::default();
    for (path, input) in step.inputs.iter() {
        let input = match input {
            Input::Output { step: made, below } => {
                let (tree, origin) = named(*made, below);
                Input::Tree { tree, origin }
            }
            other => other.clone(),
        };
        // They lie at different paths already.
        let _ = inputs.place(path.clone(), input);
    }
    step.inputs = inputs;
    if let Root::Output { step: made, below } = &step.root {
        let (tree, origin) = named(*made, below);
        step.root = Root::Tree { tree, origin };
    }
    step
}
