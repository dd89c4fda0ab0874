//! Planning: the graph of configured modules that the targets reach.
//!
//! | file | does |
//! |---|---|
//! | `wanted` | names configured modules |
//! | `search` | applies the functions of all that the targets reach |
//! | `choice` | which of the targets are wanted |
//! | `turns` | the order among targets |
//! | `answers` | what these functions learn about other modules |
//! | `order` | dependencies first; cycles |
//! | `promises` | applies functions again that had to wait for others |
//! | `commands` | commands of packages outside modules |

mod wanted;
mod answers;
mod turns;
mod search;
mod choice;
mod order;
mod promises;
mod commands;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use petgraph::graph::{DiGraph, NodeIndex};
use serde_json::Value;
use wake_eval::Read;
use wake_model::{PkgKey, RelPath};

use self::answers::Ready;
use self::choice::{Chosen, choose};
pub(crate) use self::choice::{Unwanted, Wish};
pub(crate) use self::commands::{PkgCommand, plan_of_commands};
use self::order::order;
use self::promises::keep_promises;
pub(crate) use self::search::LeftOut;
use self::search::{FoundModule, Search, search};
pub(crate) use self::wanted::ModuleRequest;
use crate::config_text;
use crate::evaluate::Evaluator;
use crate::instance::Instances;
use crate::module::{ModuleDecl, ModuleInstance};
use crate::pkg_place::PkgPlace;
use wake_steps::diagnostic::{Diagnostic, Failure};

/// A module with its configuration: one step of a build.
#[derive(Debug)]
pub(crate) struct ModuleStep {
    /// Its package.
    pub pkg: PkgKey,
    /// Where its package is.
    pub place: PkgPlace,
    /// Its name in the package and its configuration, as requested.
    wanted: ModuleRequest,
    /// Its declaration.
    pub decl: ModuleDecl,
    /// Its inputs, files and exec, every promise kept.
    pub instance: ModuleInstance,
    /// Its label: `//web:bundle`, followed by its own label or its configuration unless that is the default.
    pub label: String,
    /// Whether a target names it.
    pub requested: bool,
    /// The files and directories that its evaluation read.
    pub reads: Vec<Read>,
    /// The trace output of its evaluation.
    pub trace: Vec<String>,
}

/// The graph of steps: an edge leads from a step to a dependency.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The steps and, on each edge, the dependent's key for the dependency.
    pub graph: DiGraph<Box<ModuleStep>, String>,
    /// The steps, dependencies first.
    pub order: Vec<NodeIndex>,
    /// The step of each module, by module id.
    pub by_id: HashMap<Arc<str>, NodeIndex>,
    answers: HashMap<Arc<str>, NodeIndex>,
    /// Modules that match a pattern but need a configuration.
    pub left_out: Vec<LeftOut>,
    /// Modules that match a pattern but were not selected.
    pub unwanted: Vec<Unwanted>,
}

/// The result of all stages up to the plan.
pub(crate) struct PlannedBuild {
    /// The packages.
    pub(crate) instances: Instances,
    /// The modules.
    pub(crate) plan: Plan,
    /// Errors of targets that were left out so that others can continue.
    pub(crate) left_out: Vec<Diagnostic>,
    /// The directories that were walked to find the targets.
    pub(crate) walked: Vec<RelPath>,
    /// What was read of the root package for the options.
    pub(crate) root_reads: Vec<Read>,
}

/// Plans everything that the selected `targets` reach.
pub(crate) fn plan(
    instances: &Instances,
    targets: Vec<ModuleRequest>,
    wish: Wish<'_>,
    evaluator: &Evaluator,
) -> Result<Plan, Failure> {
    let mut targets = targets;
    let mut late = Vec::new();
    loop {
        let Search { mut found, left_out } = search(instances, targets.clone(), evaluator)?;
        let Chosen { requested, unwanted } = choose(&mut found, &targets, instances, wish)?;
        match assemble(instances, found, &requested, evaluator)? {
            Assembled::Plan(mut plan) => {
                plan.left_out = left_out.into_values().chain(late).collect();
                plan.unwanted = unwanted;
                return Ok(*plan);
            }
            // All other evaluations are cached.
            Assembled::Without(modules) => {
                targets.retain(|target| !modules.contains_key(&target.identity()));
                late.extend(modules.into_values());
            }
        }
    }
}

/// The result of assembling a plan.
enum Assembled {
    Plan(Box<Plan>),
    /// These modules have to be left out, by identity.
    Without(BTreeMap<Arc<str>, LeftOut>),
}

impl ModuleStep {
    /// Returns the result link below `.wake/out` for the default configuration of its module.
    pub(crate) fn plain_link_name(&self) -> String {
        self.place.file_label(&self.wanted.module)
    }

    /// Returns its result link below `.wake/out`; configurations of one module have different links.
    pub(crate) fn link_name(&self) -> String {
        let module = &self.wanted.module;
        match self.decl.is_default {
            true => self.plain_link_name(),
            false => self.place.file_label(&format!("{module}@{}", self.decl.config_digits())),
        }
    }

    /// Returns whether `text`, the end of its label or the digits of its link, refers to this configuration, even if other steps
    /// have the same label.
    pub(crate) fn is_configured(&self, text: &str) -> bool {
        let ends_so = |label: &str| {
            let own = label.strip_prefix(&*self.place.module_label(&self.wanted.module));
            own.and_then(|own| own.strip_prefix(' ')) == Some(text)
        };
        ends_so(&self.label)
            || ends_so(&self.full_label())
            || text.strip_prefix('@').is_some_and(|digits| self.decl.config_digits() == digits)
    }

    /// Returns its label with the digits that distinguish it from a step with the same label.
    pub(crate) fn full_label(&self) -> String {
        let digits = format!(" @{}", self.decl.config_digits());
        match self.label.ends_with(&digits) {
            true => self.label.clone(),
            false => [&*self.label, &digits].concat(),
        }
    }

    /// Returns whether it is a configuration of the requested module.
    pub(crate) fn is_of(&self, asked: &ModuleRequest) -> bool {
        self.pkg == asked.pkg && self.wanted.module == asked.module
    }

    /// Returns a request for this step.
    pub(crate) fn request(&self) -> ModuleRequest {
        self.wanted.clone()
    }
}

impl Plan {
    /// Returns the dependencies of a step, by number, each once.
    pub(crate) fn needs(&self, node: NodeIndex) -> Vec<usize> {
        let mut needs: Vec<usize> = self.graph.neighbors(node).map(NodeIndex::index).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Returns where `step` built `value`; none if that cannot be found out.
    pub(crate) fn locate(
        &self,
        node: NodeIndex,
        value: &Value,
        instances: &Instances,
        evaluator: &Evaluator,
    ) -> Option<wake_steps::diagnostic::Place> {
        let step = &self.graph[node];
        let texts: Vec<OnceLock<Arc<str>>> = self
            .graph
            .node_indices()
            .map(|node| OnceLock::from(self.graph[node].instance.seen.text.clone()))
            .collect();
        let ready = Ready { index: &self.answers, texts: &texts };
        let pkg = instances.get(&step.pkg)?;
        let answers = evaluator.answers(instances, &ready, pkg);
        evaluator.locate(&pkg.place, &step.wanted.op(pkg)?, value, &answers)
    }
}

/// Assembles the graph. A module requested by default and with the same configuration written out
/// is one step, with the shorter label.
fn assemble(
    instances: &Instances,
    found: BTreeMap<Arc<str>, Box<FoundModule>>,
    requested: &BTreeSet<Arc<str>>,
    evaluator: &Evaluator,
) -> Result<Assembled, Failure> {
    let mut graph: DiGraph<Box<FoundModule>, String> =
        DiGraph::with_capacity(found.len(), found.len() * 2);
    let mut answers: HashMap<Arc<str>, NodeIndex> = HashMap::with_capacity(found.len());
    let mut by_id: HashMap<Arc<str>, NodeIndex> = HashMap::with_capacity(found.len());
    let mut named: BTreeSet<NodeIndex> = BTreeSet::new();
    // In this order a module without a configuration comes before the same one with a configuration.
    for (identity, module) in found {
        let node = *by_id.entry(module.decl.id.clone()).or_insert_with(|| graph.add_node(module));
        if requested.contains(&identity) {
            named.insert(node);
        }
        answers.insert(identity, node);
    }
    let mut edges = Vec::new();
    for from in graph.node_indices() {
        for (key, identity) in &graph[from].needs {
            let to = answers.get(identity).copied();
            edges.extend(to.map(|to| (from, to, key.to_string())));
        }
    }
    for (from, to, key) in edges {
        graph.add_edge(from, to, key);
    }
    let order = order(&graph, instances, evaluator)?;
    let left_out = keep_promises(&mut graph, &order, instances, &answers, evaluator)?;
    if !left_out.is_empty() {
        let identified =
            |(node, module): (NodeIndex, LeftOut)| (graph[node].wanted.identity(), module);
        return Ok(Assembled::Without(left_out.into_iter().map(identified).collect()));
    }
    let mut graph = graph.filter_map_owned(
        |node, module| step(*module, instances, named.contains(&node)).map(Box::new),
        |_, key| Some(key),
    );
    tell_apart(&mut graph);
    let (left_out, unwanted) = (Vec::new(), Vec::new());
    let plan = Plan { graph, order, by_id, answers, left_out, unwanted };
    Ok(Assembled::Plan(Box::new(plan)))
}

/// Adds the digits of its configuration to each label that several steps share.
fn tell_apart(graph: &mut DiGraph<Box<ModuleStep>, String>) {
    let mut count: HashMap<String, usize> = HashMap::new();
    for step in graph.node_weights().filter(|step| step.decl.label.is_some()) {
        *count.entry(step.label.clone()).or_default() += 1;
    }
    for step in graph.node_weights_mut() {
        if count.get(&step.label).is_some_and(|count| *count > 1) {
            let digits = step.decl.config_digits();
            step.label.push_str(&format!(" @{digits}"));
        }
    }
}

fn step(module: FoundModule, instances: &Instances, requested: bool) -> Option<ModuleStep> {
    let FoundModule { wanted, decl, finished, reads, trace, .. } = module;
    let instance = finished?;
    let place = instances.get(&wanted.pkg)?.place.clone();
    let label = label_of(&place, &wanted, &decl);
    let pkg = wanted.pkg.clone();
    Some(ModuleStep { pkg, place, wanted, decl, instance, label, requested, reads, trace })
}

/// Returns the label of a module, unless another one shares it.
fn label_of(place: &PkgPlace, wanted: &ModuleRequest, decl: &ModuleDecl) -> String {
    let mut label = place.module_label(&wanted.module);
    if !decl.is_default {
        label.push(' ');
        match &decl.label {
            Some(own) => label.push_str(own),
            None => label.push_str(&config_text::write(&decl.config)),
        }
    }
    label
}
