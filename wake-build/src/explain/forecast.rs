//! The keys that modules would have, said without building anything.

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
use wake_steps::{Cancel, Input, Inputs, Results, Step, StepContext, StepId, read_name};

use super::{Explained, warnings};
use crate::lower::{Lowering, step_id};
use crate::plan::Wish;
use crate::purpose::{Purpose, TagSelection};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::target::TargetPattern;

/// The version of what is kept of a revision.
const VERSION: u32 = 3;

/// The forecasts of the modules that targets mean, by their labels.
///
/// A forecast is the key that a module's action has where what other modules leave is named by their forecasts: it differs
/// between two states of a workspace if anything that the command sees differs, or anything that what it sees is made from.
///
/// Where a command has said in a depfile what it reads, there is a second one, in which that stands for all that it sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecasts(BTreeMap<String, Forecast>);

/// What is forecast of one module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Forecast {
    /// By what it sees.
    seen: String,
    /// By what it reads, and what is read for it; none where that is not known to be less.
    read: Option<String>,
}

impl Forecasts {
    /// Whether there is a module of this label.
    pub fn has(&self, label: &str) -> bool {
        self.0.contains_key(label)
    }

    /// Whether the module of this label comes to the same as where `others` were made.
    pub fn is_same(&self, label: &str, others: &Forecasts) -> bool {
        match (self.0.get(label), others.0.get(label)) {
            (Some(one), Some(other)) => {
                one.seen == other.seen || (one.read.is_some() && one.read == other.read)
            }
            _ => false,
        }
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
        let (mut seen, mut read) = (Names::new(), Names::new());
        for &node in &plan.order {
            self.forecast(&lowering, node, &ground, &mut seen, &mut read)?;
        }
        let forecast = |(step, name): (&StepId, &Digest)| {
            let module = &plan.graph[NodeIndex::new(step.0)];
            let read = read.get(step).map(ToString::to_string);
            let forecast = Forecast { seen: name.to_string(), read };
            module.requested.then(|| (module.label.clone(), forecast))
        };
        let answer = Forecasts(seen.iter().filter_map(forecast).collect());
        self.keep_evaluations(&checkout)?;
        Ok(Explained { answer, warnings: warnings(&planned) })
    }

    /// Names what a module leaves, by what it sees; and by what it reads, where that or what it needs is known to be less.
    fn forecast(
        &self,
        lowering: &Lowering<'_>,
        node: NodeIndex,
        ground: &StepContext<'_>,
        seen: &mut Names,
        read: &mut Names,
    ) -> Result<(), Failure> {
        let step = lowering.step(node, ground).map_err(|diagnostic| *diagnostic)?;
        let label = &lowering.plan.graph[node].label;
        let pinned = |step: Step| {
            pin(step, ground, &|| self.machine.host(), self.machine.sandbox())
                .map_err(|error| error.diagnostic(label, self.store()))
        };
        let says = step.terms.depfile.is_some();
        let is_narrowed = needs(&step).any(|need| read.contains_key(&need));
        let narrowed = is_narrowed
            .then(|| promised(step.clone(), &|need| read.get(&need).or_else(|| seen.get(&need))));
        let by_sight = pinned(promised(step, &|need| seen.get(&need)))?;
        seen.insert(step_id(node), by_sight.action.digest().0);
        if !says && !is_narrowed {
            return Ok(());
        }
        let by_read = narrowed.map_or(Ok(by_sight), pinned)?;
        let name = match says {
            true => read_name(&by_read, self.store()).map_err(|error| store_failure(&error))?,
            false => None,
        };
        if name.is_some() || is_narrowed {
            read.insert(step_id(node), name.unwrap_or(by_read.action.digest().0));
        }
        Ok(())
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
        flushed.map_err(|error| store_failure(&error).into())
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

/// What the results of steps are called.
type Names = BTreeMap<StepId, Digest>;

/// The steps that a step takes something from.
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

/// A step in which what other steps leave is a tree of that name.
fn promised<'n>(mut step: Step, names: &dyn Fn(StepId) -> Option<&'n Digest>) -> Step {
    let tree = |made: StepId, below: &RelPath| {
        let mut bytes = Vec::new();
        let mut e = Encoder::new(&mut bytes);
        e.list(2);
        match names(made) {
            Some(name) => e.digest(name),
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
