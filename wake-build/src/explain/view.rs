//! A plan that is looked at: what is remembered of each step.

use petgraph::graph::NodeIndex;
use wake_model::{ActionDigest, TreeDigest};
use wake_store::Lookup;

use super::{PlannedState, PlannedStep};
use crate::diagnostic::Failure;
use crate::evaluate::Evaluator;
use crate::execute::store_failure;
use crate::files::Files;
use crate::pin::{Done, Pinned, Pinner};
use crate::plan::Step;
use crate::reason::{Reason, reason};
use crate::session::{Checkout, Pins, Planned};

/// A plan that is looked at, not carried out.
pub(crate) struct View<'a> {
    pub(crate) checkout: &'a Checkout<'a>,
    pub(super) evaluator: &'a Evaluator<'a>,
    pub(crate) planned: &'a Planned,
    pub(super) pins: &'a Pins,
    pub(super) pinner: &'a Pinner<'a>,
}

impl View<'_> {
    /// The steps that a target names.
    pub(crate) fn requested(&self) -> Vec<NodeIndex> {
        let graph = &self.planned.plan.graph;
        graph.node_indices().filter(|&node| graph[node].requested).collect()
    }

    /// Looks up what is remembered of every step.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        self.planned.plan.order.iter().try_for_each(|&node| self.planned_step(node).map(drop))
    }

    /// The steps whose needs are all remembered.
    pub(crate) fn known(&self) -> Vec<NodeIndex> {
        let order = self.planned.plan.order.iter();
        order.copied().filter(|&node| self.waits_for(node).is_none()).collect()
    }

    /// The first step that `node` needs and that is not remembered.
    pub(crate) fn waits_for(&self, node: NodeIndex) -> Option<&str> {
        let needs = self.planned.plan.needs(node).into_iter();
        let open = needs.map(NodeIndex::new).find(|&need| self.result(need).is_none());
        open.map(|need| self.label(need))
    }

    /// The tree that `node` is remembered to have left.
    pub(crate) fn result(&self, node: NodeIndex) -> Option<TreeDigest> {
        self.pins.done[node.index()].get().map(|done| done.tree)
    }

    /// The action of `node`, whose needs are all remembered.
    pub(crate) fn pin(&self, node: NodeIndex) -> Result<Pinned, Failure> {
        self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))
    }

    /// How `node` is called.
    pub(crate) fn label(&self, node: NodeIndex) -> &str {
        &self.step(node).label
    }

    /// How `nodes` are called.
    pub(crate) fn labels(&self, nodes: &[NodeIndex]) -> Vec<&str> {
        nodes.iter().map(|&node| self.label(node)).collect()
    }

    /// The files of the checkout.
    pub(crate) fn files(&self) -> &Files<'_> {
        &self.checkout.files
    }

    /// The step itself.
    pub(crate) fn step(&self, node: NodeIndex) -> &Step {
        &self.planned.plan.graph[node]
    }

    /// What would become of `node`; those that it needs must have been asked before.
    pub(super) fn planned_step(&self, node: NodeIndex) -> Result<PlannedStep, Failure> {
        let step = self.step(node);
        let needs = self.planned.plan.needs(node);
        let waits = needs.iter().find(|&&need| self.pins.done[need].get().is_none());
        let past = self.checkout.history.get(&step.label);
        let (state, reason, key) = match waits {
            Some(&need) => {
                let waits = format!("waits for {}", self.step(NodeIndex::new(need)).label);
                (PlannedState::Unknown, waits, None)
            }
            None => self.key_state(node)?,
        };
        Ok(PlannedStep {
            id: node.index(),
            label: step.label.clone(),
            state,
            reason,
            key: key.map(|key| key.to_string()),
            needs,
            usual_ms: past.map(|past| past.dur_ms),
        })
    }

    fn key_state(
        &self,
        node: NodeIndex,
    ) -> Result<(PlannedState, String, Option<ActionDigest>), Failure> {
        let step = self.step(node);
        let action = self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))?.action;
        let (bytes, key) = action.encode_with_digest();
        let store = &self.checkout.session.store;
        match store.action(&key).map_err(|error| Failure::from(store_failure(&error)))? {
            Lookup::Hit(stored) => {
                let tree = stored.tree();
                let done = Done { tree, manifest: stored.into_record().outputs };
                let _ = self.pins.done[node.index()].set(done);
                Ok((PlannedState::Hit, Reason::Remembered.to_string(), Some(key)))
            }
            Lookup::Miss | Lookup::Corrupt(_) => {
                let past = self.checkout.history.get(&step.label);
                Ok((PlannedState::Run, reason(store, past, &key, &bytes).to_string(), Some(key)))
            }
        }
    }
}
