//! A plan that is looked at: its modules, with what is remembered of them.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;
use wake_steps::Results;
use wake_steps::diagnostic::Failure;
use wake_steps::explain::Outlook;
use wake_steps::pin::PinnedAction;

use crate::instance::Instances;
use crate::lower::step_id;
use crate::plan::Plan;
use crate::session::Checkout;

/// A plan that is looked at, not carried out.
pub(super) struct View<'a> {
    pub(super) checkout: &'a Checkout<'a>,
    pub(super) plan: &'a Plan,
    pub(super) instances: &'a Instances,
    pub(super) results: &'a Results,
    pub(super) outlook: Outlook<'a>,
}

impl View<'_> {
    /// The modules that a target names.
    pub(super) fn requested(&self) -> Vec<NodeIndex> {
        let graph = &self.plan.graph;
        graph.node_indices().filter(|&node| graph[node].requested).collect()
    }

    /// The first module that `node` needs and that is not remembered.
    pub(super) fn waits_for(&self, node: NodeIndex) -> Option<&str> {
        let need = self.outlook.waits_for(step_id(node))?;
        Some(self.label(NodeIndex::new(need.0)))
    }

    /// The modules whose actions are known: all that they need is remembered, and here.
    pub(super) fn known(&self) -> Result<BTreeSet<NodeIndex>, Failure> {
        let planned = self.outlook.plan()?.into_iter().filter(|step| step.key.is_some());
        Ok(planned.map(|step| NodeIndex::new(step.id)).collect())
    }

    /// The action of `node`, whose needs are all remembered.
    pub(super) fn pin(&self, node: NodeIndex) -> Result<PinnedAction, Failure> {
        self.outlook.pin(step_id(node))
    }

    /// How `node` is called.
    pub(super) fn label(&self, node: NodeIndex) -> &str {
        &self.plan.graph[node].label
    }
}
