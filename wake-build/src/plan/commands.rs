//! Commands that a package runs and that are no modules: each is planned as if a module had said it.

use std::collections::HashMap;

use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wake_model::PkgKey;

use super::{ModuleRequest, ModuleStep, Plan};
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::module::{ModuleAnswer, ModuleError, parse};
use crate::shelf::Shelf;

/// A command of a package.
pub(crate) struct PkgCommand {
    /// The package.
    pub(crate) pkg: PkgKey,
    /// What a person calls it.
    pub(crate) label: String,
    /// What its package calls it.
    pub(crate) name: &'static str,
    /// What is run, with every reference resolved: as the declaration of a module has it.
    pub(crate) exec: Value,
    /// What it must leave: as the outputs of a module.
    pub(crate) outputs: Value,
}

/// A plan of commands that do not need each other; the number of each in it is its number among `commands`.
pub(crate) fn plan_of_commands(
    commands: Vec<PkgCommand>,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<Plan, ModuleError> {
    let shelf = Shelf::new(evaluator.spare.clone());
    let mut graph: DiGraph<Box<ModuleStep>, String> = DiGraph::new();
    let mut order: Vec<NodeIndex> = Vec::with_capacity(commands.len());
    for PkgCommand { pkg, label, name, exec, outputs } in commands {
        let text = json!({
            "config": null,
            "metadata": null,
            "modules": {},
            "name": name,
            "outputs": outputs,
            "pkg": null,
            "pkgFiles": null,
            "exec": exec,
            "files": [],
            "inputs": {},
            "pending": null,
        });
        let text = RawValue::from_string(text.to_string())?;
        let shelved = shelf.put(text.get().as_bytes());
        let ModuleAnswer { decl, instance, .. } = parse(&text, &shelved, &pkg, name, instances)?;
        let (Some(instance), Some(own)) = (instance, instances.get(&pkg)) else { continue };
        let wanted = ModuleRequest {
            pkg: pkg.clone(),
            module: name.to_owned(),
            config: None,
            merge: false,
            is_one_of_all: false,
        };
        order.push(graph.add_node(Box::new(ModuleStep {
            pkg,
            place: own.place.clone(),
            wanted,
            decl,
            instance,
            label,
            requested: true,
            reads: Vec::new(),
            trace: Vec::new(),
        })));
    }
    let (by_id, answers, left_out, unwanted) =
        (HashMap::new(), HashMap::new(), Vec::new(), Vec::new());
    Ok(Plan { graph, order, by_id, answers, left_out, unwanted })
}
