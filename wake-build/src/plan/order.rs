//! The order of modules, and the error for a cycle.

use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use super::ModuleRequest;
use super::answers::NothingYet;
use super::search::FoundModule;
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::order::{Link, cycle_error, sort, way_around};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// Returns the modules, dependencies first; a cycle is an error that shows each edge and its place.
pub(super) fn order(
    graph: &DiGraph<Box<FoundModule>, String>,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<Vec<NodeIndex>, Failure> {
    let (order, cycles) = sort(graph);
    let errors: Vec<Diagnostic> =
        cycles.iter().map(|members| show_cycle(graph, members, instances, evaluator)).collect();
    if errors.is_empty() { Ok(order) } else { Err(Failure { diagnostics: errors }) }
}

fn show_cycle(
    graph: &DiGraph<Box<FoundModule>, String>,
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
        let ModuleRequest { pkg: owner, module: name, .. } = &module.wanted;
        let pkg = instances.get(owner);
        let label = pkg.map_or_else(|| name.clone(), |pkg| pkg.place.module_label(name));
        let place = pkg.and_then(|pkg| {
            let answers = evaluator.answers(instances, &NothingYet, pkg);
            evaluator.locate(&pkg.place, &module.wanted.op(pkg)?, &module.needed(&key)?, &answers)
        });
        Link { label, key, place }
    };
    let links = way_around(component, onward).into_iter().map(link).collect();
    cycle_error(Class::Evaluation, "modules", links).help("remove one of these from `modules`")
}
