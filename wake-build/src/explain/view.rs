//! A plan for inspection: its modules, with their cached results.

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

/// A plan that is inspected, not performed.
pub(super) struct View<'a> {
    pub(super) checkout: &'a Checkout<'a>,
    pub(super) plan: &'a Plan,
    pub(super) instances: &'a Instances,
    pub(super) results: &'a Results,
    pub(super) outlook: Outlook<'a>,
}

impl View<'_> {
    /// Returns the modules that a target names.
    pub(super) fn requested(&self) -> Vec<NodeIndex> {
        let graph = &self.plan.graph;
        graph.node_indices().filter(|&node| graph[node].requested).collect()
    }

    /// Returns the first dependency of `node` without a cached result.
    pub(super) fn waits_for(&self, node: NodeIndex) -> Option<&str> {
        let need = self.outlook.waits_for(step_id(node))?;
        Some(self.label(NodeIndex::new(need.0)))
    }

    /// Returns the modules whose actions are known: all their dependencies are remembered.
    pub(super) fn known(&self) -> Result<BTreeSet<NodeIndex>, Failure> {
        let planned = self.outlook.plan()?.into_iter().filter(|step| step.key.is_some());
        Ok(planned.map(|step| NodeIndex::new(step.id)).collect())
    }

    /// Returns the action of `node`, whose dependencies are all remembered.
    pub(super) fn pin(&self, node: NodeIndex) -> Result<PinnedAction, Failure> {
        self.outlook.pin(step_id(node))
    }

    /// Returns the label of `node`.
    pub(super) fn label(&self, node: NodeIndex) -> &str {
        &self.plan.graph[node].label
    }
}
