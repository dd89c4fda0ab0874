//! The order of modules, and the error that shows a cycle.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::answers::NothingYet;
use super::search::Found;
use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::target::module_label;

/// Dependencies first; a cycle is an error that shows the way around and where each edge was written.
pub(super) fn order(
    graph: &DiGraph<Found, String>,
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
    graph: &DiGraph<Found, String>,
    component: &[NodeIndex],
    instances: &Instances,
    evaluator: &Evaluator,
) -> Diagnostic {
    let way = way_around(graph, component);
    let name = |node: NodeIndex| {
        let wanted = &graph[node].wanted;
        let dir = instances.get(&wanted.pkg).map(|pkg| pkg.dir.clone()).unwrap_or_default();
        module_label(&dir, &wanted.module)
    };
    let names: Vec<String> = way.iter().map(|(node, _)| name(*node)).collect();
    let first = names.first().cloned().unwrap_or_default();
    let message = format!("modules need each other: {} -> {first}", names.join(" -> "));
    let mut diagnostic = Diagnostic::error(Class::Evaluation, message);
    for (at, (node, key)) in way.iter().enumerate() {
        let module = &graph[*node];
        let answers = evaluator.answers(instances, &NothingYet);
        let place = instances.get(&module.wanted.pkg).and_then(|pkg| {
            evaluator.locate(&pkg.dir, &module.op, &module.decl.needed(key)?, &answers)
        });
        let where_ = place.as_ref().map(|p| format!(" at {}:{}:{}", p.file, p.line, p.column));
        let to = &names[(at + 1) % names.len()];
        diagnostic = diagnostic.note(format!(
            "{} needs {to} as `{key}`{}",
            names[at],
            where_.unwrap_or_default()
        ));
        if at == 0 {
            diagnostic = diagnostic.at(place);
        }
    }
    diagnostic.help("take one of these out of `modules`")
}

/// One way around inside a strongly connected set, each step with the key that leads onward.
fn way_around(graph: &DiGraph<Found, String>, component: &[NodeIndex]) -> Vec<(NodeIndex, String)> {
    let Some(&start) = component.iter().min() else { return Vec::new() };
    let mut way: Vec<(NodeIndex, String)> = Vec::new();
    let mut at = start;
    loop {
        if let Some(first) = way.iter().position(|(node, _)| *node == at) {
            return way.split_off(first);
        }
        let onward = graph.edges(at).find(|edge| component.contains(&edge.target()));
        let Some(edge) = onward else { return way };
        way.push((at, edge.weight().clone()));
        at = edge.target();
    }
}

/// The modules by the longest chain below them: those of one level do not need each other.
pub(super) fn levels(graph: &DiGraph<Found, String>, order: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
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
