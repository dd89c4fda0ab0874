//! Planning: the graph of configured modules that the targets reach.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rayon::Scope;
use rayon::prelude::*;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::{Answer, Answers, Op, Read};
use wake_model::{PkgKey, RelPath, json};

use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::evaluate::{Evaluator, Remembered};
use crate::instance::{Instances, PkgInstance};
use crate::module::{ModuleDecl, ModuleInstance};
use crate::target::module_label;

/// A module with its configuration: one step of a build.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its package.
    pub pkg: PkgKey,
    /// What its functions said.
    pub decl: ModuleDecl,
    /// Its inputs, files and exec, every promise kept.
    pub instance: ModuleInstance,
    /// What functions of other modules see, as JSON text.
    pub seen: Arc<str>,
    /// How it is called: `//web:bundle`, with a short digest of its configuration unless that is the default.
    pub label: String,
    /// Whether a target names it.
    pub requested: bool,
    /// What its evaluation read.
    pub reads: Vec<Read>,
    /// What its evaluation traced.
    pub trace: Vec<String>,
    /// The application that made it, for finding places.
    pub op: Op,
}

/// The graph of steps: an edge leads from a step to one that it needs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The steps and, on each edge, the key that the dependent knows the other under.
    pub graph: DiGraph<Step, String>,
    /// The steps, dependencies first.
    pub order: Vec<NodeIndex>,
    /// The step of each module by its name in paths.
    pub by_id: BTreeMap<String, NodeIndex>,
    answers: HashMap<String, NodeIndex>,
}

/// Which module is wanted, with which configuration.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Its package.
    pub pkg: PkgKey,
    /// Its name in the package.
    pub module: String,
    /// Its configuration; none: its default.
    pub config: Option<Value>,
}

impl Wanted {
    /// One text for each module and configuration.
    fn identity(&self) -> String {
        let config = self.config.as_ref().map(json::canonical).unwrap_or_default();
        format!("{}@{}@{config}", self.pkg, self.module)
    }

    /// Reads a module id in the text of a module.
    fn of_text(id: &RawValue) -> Option<Wanted> {
        #[derive(Deserialize)]
        struct Id {
            pkg: PkgKey,
            module: String,
            #[serde(default, deserialize_with = "given")]
            config: Option<Value>,
        }
        /// What is given counts, also null.
        fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
            Value::deserialize(value).map(Some)
        }
        let Id { pkg, module, config } = serde_json::from_str(id.get()).ok()?;
        Some(Wanted { pkg, module, config })
    }

    /// Reads a module id as functions return it.
    fn of_id(id: &Value) -> Option<Wanted> {
        Some(Wanted {
            pkg: id.get("pkg")?.as_str()?.parse().ok()?,
            module: id.get("module")?.as_str()?.to_owned(),
            config: id.get("config").cloned(),
        })
    }
}

/// More configured modules than this are taken for a recursion without end.
const MOST_STEPS: usize = 1_000_000;
/// A chain of modules longer than this is taken for a recursion without end.
const LONGEST_CHAIN: usize = 10_000;

/// Stands for all modules that are too many, where the others have their identities.
const ENDLESS: &str = "~";

/// Plans everything that `targets` reach.
pub(crate) fn plan(
    instances: &Instances,
    targets: Vec<Wanted>,
    evaluator: &Evaluator,
) -> Result<Plan, Failure> {
    let planner =
        Planner { instances, evaluator, state: Mutex::default(), seen: RwLock::default() };
    let requested: BTreeSet<String> = targets.iter().map(Wanted::identity).collect();
    // Modules mostly need modules of the packages below: from the bottom up, these are already there.
    for targets in by_depth(instances, targets) {
        rayon::scope(|scope| {
            for wanted in targets {
                // The first module of a chain is not yet too many.
                let _ = planner.ask(wanted, 0, scope);
            }
        });
        evaluator.put_away();
    }
    let State { found, failed, .. } =
        planner.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !failed.is_empty() {
        return Err(Failure { diagnostics: failed.into_values().collect() });
    }
    assemble(instances, found, &requested, evaluator)
}

fn by_depth(instances: &Instances, targets: Vec<Wanted>) -> Vec<Vec<Wanted>> {
    let mut levels: BTreeMap<usize, Vec<Wanted>> = BTreeMap::new();
    for wanted in targets {
        let depth = instances.get(&wanted.pkg).map_or(0, |pkg| pkg.depth);
        levels.entry(depth).or_default().push(wanted);
    }
    levels.into_values().collect()
}

struct Planner<'a> {
    instances: &'a Instances,
    evaluator: &'a Evaluator<'a>,
    state: Mutex<State>,
    /// What others see of the modules that are complete, by identity.
    seen: RwLock<HashMap<String, Arc<str>>>,
}

#[derive(Default)]
struct State {
    asked: BTreeSet<String>,
    found: BTreeMap<String, Found>,
    failed: BTreeMap<String, Diagnostic>,
}

/// A module whose functions have been applied once.
struct Found {
    wanted: Wanted,
    op: Op,
    decl: ModuleDecl,
    finished: Option<Finished>,
    reads: Vec<Read>,
    trace: Vec<String>,
}

/// A module with every promise kept.
struct Finished {
    instance: ModuleInstance,
    /// What functions of other modules see.
    seen: Arc<str>,
}

impl Planner<'_> {
    /// Asks for a module, unless that has been done; false if there are too many of them by now.
    fn ask<'s>(&'s self, wanted: Wanted, depth: usize, scope: &Scope<'s>) -> bool {
        let identity = wanted.identity();
        {
            let mut state = self.state();
            if state.failed.contains_key(ENDLESS) || !state.asked.insert(identity.clone()) {
                return true;
            }
            if depth > LONGEST_CHAIN || state.asked.len() > MOST_STEPS {
                return false;
            }
        }
        scope.spawn(move |scope| match self.apply(wanted) {
            Ok(found) => {
                let needs: Vec<_> = found
                    .decl
                    .modules
                    .iter()
                    .filter_map(|(key, id)| Some((key.clone(), Wanted::of_text(id)?)))
                    .collect();
                if let Some(finished) = &found.finished {
                    let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
                    seen.insert(identity.clone(), finished.seen.clone());
                }
                self.state().found.insert(identity.clone(), found);
                for (key, wanted) in needs {
                    if !self.ask(wanted, depth + 1, scope) {
                        self.stop_endless(&identity, &key);
                    }
                }
            }
            Err(diagnostic) => {
                self.state().failed.insert(identity, *diagnostic);
            }
        });
        true
    }

    /// Ends the search at the module that would need one too many under `key`.
    fn stop_endless(&self, identity: &str, key: &str) {
        let Some(found) = self.state().found.remove(identity) else { return };
        let (label, place) = match self.instances.get(&found.wanted.pkg) {
            Some(pkg) => {
                let answers = self.evaluator.answers(self.instances, &NothingYet);
                let id = found.decl.needed(key);
                let place =
                    id.and_then(|id| self.evaluator.locate(&pkg.dir, &found.op, &id, &answers));
                (module_label(&pkg.dir, &found.wanted.module), place)
            }
            None => (found.wanted.module, None),
        };
        let message = format!("module {label} leads to modules without end");
        let diagnostic = Diagnostic::error(Class::Evaluation, message)
            .at(place)
            .help("a module must not need itself with an ever different config");
        self.state().failed.insert(ENDLESS.to_owned(), diagnostic);
    }

    fn apply(&self, wanted: Wanted) -> Result<Found, Box<Diagnostic>> {
        let (pkg, file) = find_module(self.instances, &wanted)?;
        let op = Op::Module {
            file: file.clone(),
            name: wanted.module.clone(),
            pkg: pkg.own.clone(),
            config: wanted.config.as_ref().map(json::text),
        };
        let so_far = SoFar { seen: &self.seen };
        let answers = self.evaluator.answers(self.instances, &so_far);
        let result = self.evaluator.evaluate(&pkg.dir, op.clone(), &answers)?;
        let (decl, instance) = ModuleDecl::parse(&result.value, &wanted.pkg, &wanted.module)
            .map_err(|e| {
                let label = module_label(&pkg.dir, &wanted.module);
                Diagnostic::error(Class::Internal, format!("{label}: {e}"))
            })?;
        let finished = instance.map(|instance| {
            let seen = instance.outside(decl.pkg_files_owner(&wanted.pkg), self.instances);
            Finished { instance, seen }
        });
        let Remembered { reads, trace, .. } = result;
        Ok(Found { wanted, op, decl, finished, reads, trace })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn find_module<'a>(
    instances: &'a Instances,
    wanted: &Wanted,
) -> Result<(&'a PkgInstance, &'a RelPath), Box<Diagnostic>> {
    let Some(pkg) = instances.get(&wanted.pkg) else {
        let message = format!("no package `{}` in this build", wanted.pkg);
        return Err(Box::new(Diagnostic::error(Class::Evaluation, message)));
    };
    match pkg.modules.get(&wanted.module) {
        Some(file) => Ok((pkg, file)),
        None => {
            let label = crate::target::label(&pkg.dir);
            let message = format!("{label} has no module `{}`", wanted.module);
            let names = || pkg.modules.keys().map(String::as_str);
            let help = match wake_model::nearest::nearest(&wanted.module, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if pkg.modules.is_empty() => "it has no modules at all".to_owned(),
                None => format!("its modules are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Err(Box::new(Diagnostic::error(Class::Usage, message).help(help)))
        }
    }
}

/// Answers evaluations of modules.
struct PlanAnswers<'a, M: Modules> {
    instances: &'a Instances,
    modules: &'a M,
    epoch: u64,
}

impl Evaluator<'_> {
    fn answers<'a, M: Modules>(
        &self,
        instances: &'a Instances,
        modules: &'a M,
    ) -> PlanAnswers<'a, M> {
        PlanAnswers { instances, modules, epoch: self.epoch }
    }
}

trait Modules: Sync {
    fn module(&self, id: &Value) -> Answer;
}

struct NothingYet;

impl Modules for NothingYet {
    fn module(&self, id: &Value) -> Answer {
        if Wanted::of_id(id).is_some() { Answer::Pending } else { Answer::Unknown }
    }
}

/// What is complete while others are still being found.
struct SoFar<'a> {
    seen: &'a RwLock<HashMap<String, Arc<str>>>,
}

impl Modules for SoFar<'_> {
    fn module(&self, id: &Value) -> Answer {
        let Some(wanted) = Wanted::of_id(id) else { return Answer::Unknown };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.get(&wanted.identity()).cloned().map_or(Answer::Pending, Answer::Ready)
    }
}

impl<M: Modules> Answers for PlanAnswers<'_, M> {
    fn epoch(&self) -> Option<u64> {
        Some(self.epoch)
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.instances.get(key).map(|instance| instance.outside.clone())
    }

    fn module(&self, id: &Value) -> Answer {
        self.modules.module(id)
    }
}

/// Instances of modules as they come about, for evaluations of those that need them.
struct Ready<'a> {
    index: &'a HashMap<String, NodeIndex>,
    texts: &'a [OnceLock<Arc<str>>],
}

impl Modules for Ready<'_> {
    fn module(&self, id: &Value) -> Answer {
        let Some(node) = Wanted::of_id(id).and_then(|wanted| self.index.get(&wanted.identity()))
        else {
            return Answer::Unknown;
        };
        match self.texts[node.index()].get() {
            Some(text) => Answer::Ready(text.clone()),
            None => Answer::Pending,
        }
    }
}

/// Makes the graph. A module that was asked for by its default and by the same configuration in full
/// is one step, called by the shorter name.
fn assemble(
    instances: &Instances,
    found: BTreeMap<String, Found>,
    requested: &BTreeSet<String>,
    evaluator: &Evaluator,
) -> Result<Plan, Failure> {
    let mut graph: DiGraph<Found, String> = DiGraph::with_capacity(found.len(), found.len() * 2);
    let mut answers: HashMap<String, NodeIndex> = HashMap::with_capacity(found.len());
    let mut by_id: BTreeMap<String, NodeIndex> = BTreeMap::new();
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
        for (key, id) in &graph[from].decl.modules {
            let to =
                Wanted::of_text(id).and_then(|wanted| answers.get(&wanted.identity()).copied());
            edges.extend(to.map(|to| (from, to, key.clone())));
        }
    }
    for (from, to, key) in edges {
        graph.add_edge(from, to, key);
    }
    let order = order(&graph, instances, evaluator)?;
    keep_promises(&mut graph, &order, instances, &answers, evaluator)?;
    let graph = graph.filter_map_owned(
        |node, module| step(module, instances, named.contains(&node)),
        |_, key| Some(key),
    );
    Ok(Plan { graph, order, by_id, answers })
}

fn step(module: Found, instances: &Instances, requested: bool) -> Option<Step> {
    let Found { wanted, op, decl, finished, reads, trace } = module;
    let Finished { instance, seen } = finished?;
    let dir = instances.get(&wanted.pkg).map(|pkg| pkg.dir.clone()).unwrap_or_default();
    let mut label = module_label(&dir, &wanted.module);
    let plain =
        wanted.config.is_none() || wanted.config == Some(Value::Object(serde_json::Map::new()));
    if !plain {
        label.push_str(&format!("@{}", json::digest(&decl.config).0.short(8)));
    }
    Some(Step { pkg: wanted.pkg, decl, instance, seen, label, requested, reads, trace, op })
}

/// Dependencies first; a cycle is an error that shows the way around and where each edge was written.
fn order(
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
    use petgraph::visit::EdgeRef;
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

/// Applies again the functions of those modules that compute with values of others which were not
/// complete when they were applied first, these others first.
fn keep_promises(
    graph: &mut DiGraph<Found, String>,
    order: &[NodeIndex],
    instances: &Instances,
    index: &HashMap<String, NodeIndex>,
    evaluator: &Evaluator,
) -> Result<(), Failure> {
    let complete = |module: &Found| match &module.finished {
        Some(finished) => OnceLock::from(finished.seen.clone()),
        None => OnceLock::new(),
    };
    let texts: Vec<OnceLock<Arc<str>>> = graph.node_weights().map(complete).collect();
    for level in levels(graph, order) {
        let ready = Ready { index, texts: &texts };
        let finished: Vec<(NodeIndex, Result<_, Box<Diagnostic>>)> = level
            .par_iter()
            .filter(|&&node| graph[node].finished.is_none())
            .map(|&node| (node, finish(&graph[node], instances, &ready, evaluator)))
            .collect();
        let mut errors = Vec::new();
        for (node, finished) in finished {
            match finished {
                Ok((finished, Remembered { reads, trace, .. })) => {
                    // The text of a module is set once.
                    let _ = texts[node.index()].set(finished.seen.clone());
                    let module = &mut graph[node];
                    (module.reads, module.trace) = (reads, trace);
                    module.finished = Some(finished);
                }
                Err(diagnostic) => errors.push(*diagnostic),
            }
        }
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
    }
    Ok(())
}

fn finish(
    module: &Found,
    instances: &Instances,
    ready: &Ready,
    evaluator: &Evaluator,
) -> Result<(Finished, Remembered), Box<Diagnostic>> {
    let (pkg, _) = find_module(instances, &module.wanted)?;
    let answers = evaluator.answers(instances, ready);
    let result = evaluator.evaluate(&pkg.dir, module.op.clone(), &answers)?;
    let unfinished = || {
        let label = module_label(&pkg.dir, &module.wanted.module);
        Box::new(Diagnostic::error(
            Class::Internal,
            format!("{label}: still waits for modules that are done"),
        ))
    };
    let (_, instance) = ModuleDecl::parse(&result.value, &module.wanted.pkg, &module.wanted.module)
        .map_err(|_| unfinished())?;
    let instance = instance.ok_or_else(unfinished)?;
    let seen = instance.outside(module.decl.pkg_files_owner(&module.wanted.pkg), instances);
    Ok((Finished { instance, seen }, result))
}

fn levels(graph: &DiGraph<Found, String>, order: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
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

impl Plan {
    /// The steps that a step needs, by number, each once.
    pub(crate) fn needs(&self, node: NodeIndex) -> Vec<usize> {
        let mut needs: Vec<usize> = self.graph.neighbors(node).map(NodeIndex::index).collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }

    /// Where `step` built `value`; none where that cannot be found out.
    pub(crate) fn locate(
        &self,
        node: NodeIndex,
        value: &Value,
        instances: &Instances,
        evaluator: &Evaluator,
    ) -> Option<crate::diagnostic::Place> {
        let step = &self.graph[node];
        let texts: Vec<OnceLock<Arc<str>>> = self
            .graph
            .node_indices()
            .map(|node| OnceLock::from(self.graph[node].seen.clone()))
            .collect();
        let ready = Ready { index: &self.answers, texts: &texts };
        let answers = evaluator.answers(instances, &ready);
        let dir = &instances.get(&step.pkg)?.dir;
        evaluator.locate(dir, &step.op, value, &answers)
    }
}
