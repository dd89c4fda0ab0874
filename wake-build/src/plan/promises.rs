//! Modules that compute with values of others: their functions are applied again when these are complete.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use rayon::prelude::*;
use wake_eval::Read;

use super::ModuleRequest;
use super::answers::Ready;
use super::search::{FoundModule, LeftOut, find_module};
use crate::evaluate::{CachedEvaluation, Evaluator, FailedEvaluation};
use crate::instance::{Instances, lasting};
use crate::module::{ModuleInstance, parse};
use crate::order::levels;
use crate::shelf::Shelf;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// Applies the functions of modules again that compute with values of others which were incomplete the first time, dependencies
/// first. Returns the modules that have to be left out.
pub(super) fn keep_promises(
    graph: &mut DiGraph<Box<FoundModule>, String>,
    order: &[NodeIndex],
    instances: &Instances,
    index: &HashMap<Arc<str>, NodeIndex>,
    evaluator: &Evaluator,
) -> Result<BTreeMap<NodeIndex, LeftOut>, Failure> {
    let mut left_out = BTreeMap::new();
    if graph.node_weights().all(|module| module.finished.is_some()) {
        return Ok(left_out);
    }
    let complete = |module: &FoundModule| match &module.finished {
        Some(finished) => OnceLock::from(finished.seen.text.clone()),
        None => OnceLock::new(),
    };
    let texts: Vec<OnceLock<Arc<str>>> =
        graph.node_weights().map(|module| complete(module)).collect();
    let shelf = Shelf::new(evaluator.spare.clone());
    for level in levels(order.iter().copied(), |node| graph.neighbors(node)) {
        let ready = Ready { index, texts: &texts };
        let finished: Vec<(NodeIndex, Result<_, FailedEvaluation>)> = level
            .par_iter()
            .filter(|&&node| graph[node].finished.is_none())
            .map(|&node| (node, finish(&graph[node], instances, &ready, &shelf, evaluator)))
            .collect();
        let mut errors = Vec::new();
        for (node, finished) in finished {
            match finished {
                Ok((finished, reads, trace)) => {
                    // The text of a module is set once.
                    let _ = texts[node.index()].set(finished.seen.text.clone());
                    let module = &mut graph[node];
                    (module.reads, module.trace) = (reads, trace);
                    module.finished = Some(finished);
                }
                Err(failed) => {
                    let is_needed =
                        graph.edges_directed(node, Direction::Incoming).next().is_some();
                    match LeftOut::of(&graph[node].wanted, !is_needed)(failed) {
                        Ok(module) => drop(left_out.insert(node, module)),
                        Err(diagnostic) => errors.push(*diagnostic),
                    }
                }
            }
        }
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
    }
    Ok(left_out)
}

fn finish(
    module: &FoundModule,
    instances: &Instances,
    ready: &Ready,
    shelf: &Arc<Shelf>,
    evaluator: &Evaluator,
) -> Result<(ModuleInstance, Vec<Read>, Vec<String>), FailedEvaluation> {
    let (pkg, op) = find_module(instances, &module.wanted)?;
    let answers = evaluator.answers(instances, ready, pkg);
    let CachedEvaluation { value, reads, trace } = evaluator.evaluate(&pkg.place, op, &answers)?;
    let unfinished = || {
        let label = pkg.place.module_label(&module.wanted.module);
        Box::new(Diagnostic::error(
            Class::Internal,
            format!("{label}: still waits for modules that are done"),
        ))
    };
    let ModuleRequest { pkg: key, module, .. } = &module.wanted;
    let parsed = parse(&value, &shelf.put(value.get().as_bytes()), key, module, instances);
    let instance = parsed.map_err(|_| unfinished())?.instance;
    let reads = lasting(reads);
    Ok((instance.ok_or_else(unfinished)?, reads, trace))
}
