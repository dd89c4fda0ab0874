//! Commands of a package outside modules, each planned as if it were a module.

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
    /// Its label.
    pub(crate) label: String,
    /// Its name in the package.
    pub(crate) name: &'static str,
    /// The command, with every reference resolved, in the form of a module's declaration.
    pub(crate) exec: Value,
    /// Its outputs, in the form of a module's.
    pub(crate) outputs: Value,
}

/// Returns a plan of independent commands; each has the same number there as in `commands`.
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
