//! The order of modules, and the error that shows a cycle.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::answers::NothingYet;
use super::search::Found;
use crate::cycle::{self, Link, way_around};
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::target::module_label;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// Dependencies first; a cycle is an error that shows the way around and where each edge was written.
pub(super) fn order(
    graph: &DiGraph<Box<Found>, String>,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<Vec<NodeIndex>, Failure> {
    let mut order = Vec::with_capacity(graph.node_count());
    let mut errors = Vec::new();
    for component in tarjan_scc(graph) {
        let circular =
            component.len() > 1 || component.iter().any(|&node| graph.contains_edge(node, node));
        if circular {
            errors.push(cycle_error(graph, &component, instances, evaluator));
        }
        order.extend(component);
    }
    if errors.is_empty() { Ok(order) } else { Err(Failure { diagnostics: errors }) }
}

fn cycle_error(
    graph: &DiGraph<Box<Found>, String>,
    component: &[NodeIndex],
    instances: &Instances,
    evaluator: &Evaluator,
) -> Diagnostic {
    let onward = |at: &NodeIndex| {
        let edge = graph.edges(*at).find(|edge| component.contains(&edge.target()))?;
        Some((edge.weight().clone(), edge.target()))
    };
    let link = |(node, key): (NodeIndex, String)| {
        let module = &graph[node];
        let pkg = instances.get(&module.wanted.pkg);
        let dir = pkg.map(|pkg| pkg.dir.clone()).unwrap_or_default();
        let place = pkg.and_then(|pkg| {
            let answers = evaluator.answers(instances, &NothingYet, pkg);
            evaluator.locate(&pkg.dir, &module.wanted.op(pkg)?, &module.needed(&key)?, &answers)
        });
        Link { label: module_label(&dir, &module.wanted.module), key, place }
    };
    let links = way_around(component, onward).into_iter().map(link).collect();
    cycle::error(Class::Evaluation, "modules", links).help("take one of these out of `modules`")
}

/// The modules by the longest chain below them: those of one level do not need each other.
pub(super) fn levels(
    graph: &DiGraph<Box<Found>, String>,
    order: &[NodeIndex],
) -> Vec<Vec<NodeIndex>> {
    let mut depth = vec![0usize; graph.node_count()];
    let mut levels: Vec<Vec<NodeIndex>> = Vec::new();
    for &node in order {
        let level = graph.neighbors(node).map(|dep| depth[dep.index()] + 1).max().unwrap_or(0);
        depth[node.index()] = level;
        if levels.len() <= level {
            levels.resize_with(level + 1, Vec::new);
        }
        levels[level].push(node);
    }
    levels
}
