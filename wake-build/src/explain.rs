//! Explaining without running: what would run, why, and how the modules hang together.

use std::path::Path;

use petgraph::graph::NodeIndex;
use serde::Serialize;
use serde_json::Value;
use wake_eval::{NoAnswers, Op};
use wake_model::{ActionDigest, RelPath, TreeDigest};
use wake_store::Lookup;

use crate::diagnostic::{Failure, Place};
use crate::evaluate::Evaluator;
use crate::execute::store_failure;
use crate::files::Files;
use crate::pin::{Done, Pinned, Pinner};
use crate::plan::Step;
use crate::reason::{Change, Reason, changes, fields_of, reason};
use crate::root_change::RootCause;
use crate::session::{Checkout, Pins, Planned, Session};
use crate::snapshot::Snapshot;
use crate::source_text::find_first;
use crate::target::label;

/// One step of a plan that was not carried out.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStep {
    /// Its number in the plan.
    pub id: usize,
    /// How it is called.
    pub label: String,
    /// What would become of it.
    pub state: PlannedState,
    /// Why.
    pub reason: String,
    /// The key of the action cache, where that is known.
    pub key: Option<String>,
    /// The steps it needs.
    pub needs: Vec<usize>,
    /// Milliseconds that it took last time.
    pub usual_ms: Option<u64>,
}

/// What would become of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlannedState {
    /// Its result is known.
    Hit,
    /// It would run.
    Run,
    /// Something that it needs would run: if that yields what it did before, this is a hit.
    Unknown,
}

/// Why a step ran, or would.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// How it is called.
    pub label: String,
    /// What it comes to, in one sentence.
    pub summary: String,
    /// The fields that differ, the first of them first.
    pub changes: Vec<WhyChange>,
    /// How many fields are the same.
    pub unchanged: usize,
}

/// One field that differs.
#[derive(Clone, Debug, Serialize)]
pub struct WhyChange {
    /// Its name, `env.CFLAGS`, `inputs.src/a.c`.
    pub field: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// The file of the checkout that it is, or where in the source its value stands.
    pub place: Option<String>,
    /// Why the module that it comes from ran.
    pub because: Option<Box<Why>>,
}

/// The modules that targets reach.
#[derive(Clone, Debug, Serialize)]
pub struct Graph {
    /// The modules.
    pub nodes: Vec<GraphNode>,
    /// Who needs whom.
    pub edges: Vec<GraphEdge>,
}

/// A module in a graph.
#[derive(Clone, Debug, Serialize)]
pub struct GraphNode {
    /// Its number.
    pub id: usize,
    /// How it is called.
    pub label: String,
    /// Whether a target names it.
    pub requested: bool,
}

/// One need.
#[derive(Clone, Debug, Serialize)]
pub struct GraphEdge {
    /// Who needs.
    pub from: usize,
    /// Who is needed.
    pub to: usize,
    /// Under which key.
    pub key: String,
}

/// A package as `wake ls` lists it.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// How it is called.
    pub label: String,
    /// `namespace/name`, or the name alone.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its modules.
    pub modules: Vec<String>,
}

/// A value with what `std.trace` said on the way.
#[derive(Clone, Debug)]
pub struct EvalResult {
    /// The value.
    pub value: Value,
    /// The lines.
    pub trace: Vec<String>,
}

impl Session {
    /// What a build of `targets` would do.
    pub fn plan(
        &self,
        targets: &[String],
        config: Option<&Value>,
    ) -> Result<Vec<PlannedStep>, Failure> {
        self.with_plan(targets, config, |view| {
            let mut steps = Vec::new();
            for &node in &view.planned.plan.order {
                steps.push(view.planned_step(node)?);
            }
            Ok(steps)
        })
    }

    /// Why each module that `targets` name ran last time, or would run now.
    pub fn why(&self, targets: &[String], config: Option<&Value>) -> Result<Vec<Why>, Failure> {
        self.with_plan(targets, config, |view| {
            for &node in &view.planned.plan.order {
                view.planned_step(node)?;
            }
            let graph = &view.planned.plan.graph;
            let requested = graph.node_indices().filter(|&node| graph[node].requested);
            requested.map(|node| view.why(node)).collect()
        })
    }

    /// The modules that `targets` reach, and who needs whom.
    pub fn graph(&self, targets: &[String], config: Option<&Value>) -> Result<Graph, Failure> {
        self.with_plan(targets, config, |view| {
            use petgraph::visit::EdgeRef;
            let graph = &view.planned.plan.graph;
            let node = |at: NodeIndex| GraphNode {
                id: at.index(),
                label: graph[at].label.clone(),
                requested: graph[at].requested,
            };
            let edge = |edge: petgraph::graph::EdgeReference<'_, String>| GraphEdge {
                from: edge.source().index(),
                to: edge.target().index(),
                key: edge.weight().clone(),
            };
            let nodes = graph.node_indices().map(node).collect();
            Ok(Graph { nodes, edges: graph.edge_references().map(edge).collect() })
        })
    }

    /// The packages that `targets` name, loaded but not planned.
    pub fn ls(&self, targets: &[String]) -> Result<Vec<Listed>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let found = crate::target::find(&self.workspace, targets)?;
        let dirs: Vec<RelPath> = found.targets.into_iter().map(|target| target.pkg).collect();
        let mut result =
            self.threads.install(|| crate::load::load(&self.workspace, &evaluator, &dirs));
        let errors = result.errors();
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
        let listed = dirs.iter().filter_map(|dir| result.loaded.get(dir)).map(|pkg| {
            let info = &pkg.decl.info;
            let name = match &info.namespace {
                Some(namespace) => format!("{namespace}/{}", info.name),
                None => info.name.to_string(),
            };
            Listed {
                label: label(&pkg.dir),
                name,
                version: info.version.to_string(),
                modules: pkg.decl.modules.keys().cloned().collect(),
            }
        });
        let listed = listed.collect();
        self.keep_evaluations(&checkout)?;
        Ok(listed)
    }

    /// Evaluates an expression as it would be in the package around the person.
    pub fn eval(&self, code: &str, file_label: &str) -> Result<EvalResult, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let pkg = self.workspace.nearest_pkg(&self.workspace.here).unwrap_or_default();
        let op = Op::Expr { code: code.to_owned(), label: file_label.to_owned() };
        let evaluated = checkout.evaluator().evaluate(&pkg, op, &NoAnswers)?;
        let value = serde_json::from_str(evaluated.value.get()).unwrap_or_default();
        Ok(EvalResult { value, trace: evaluated.trace })
    }

    pub(crate) fn with_plan<T>(
        &self,
        targets: &[String],
        config: Option<&Value>,
        look: impl FnOnce(&View) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let planned = checkout.plan(&evaluator, targets, config, false)?;
        let pins = Pins::for_plan(&planned.plan);
        let host = || self.host();
        let pinner = pins.pinner(&planned, &evaluator, self, &host);
        let view = View {
            checkout: &checkout,
            evaluator: &evaluator,
            planned: &planned,
            pins: &pins,
            pinner: &pinner,
        };
        let result = look(&view)?;
        self.keep_evaluations(&checkout)?;
        Ok(result)
    }

    fn keep_evaluations(&self, checkout: &Checkout) -> Result<(), Failure> {
        // Digests that could not be kept are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        self.store.flush_memo().map_err(|error| store_failure(&error).into())
    }
}

/// A plan that is looked at, not carried out.
pub(crate) struct View<'a> {
    pub(crate) checkout: &'a Checkout<'a>,
    evaluator: &'a Evaluator<'a>,
    pub(crate) planned: &'a Planned,
    pins: &'a Pins,
    pinner: &'a Pinner<'a>,
}

impl View<'_> {
    /// The steps that a target names.
    pub(crate) fn requested(&self) -> Vec<NodeIndex> {
        let graph = &self.planned.plan.graph;
        graph.node_indices().filter(|&node| graph[node].requested).collect()
    }

    /// Looks up what is remembered of every step.
    pub(crate) fn settle(&self) -> Result<(), Failure> {
        self.planned.plan.order.iter().try_for_each(|&node| self.planned_step(node).map(drop))
    }

    /// The steps whose needs are all remembered.
    pub(crate) fn known(&self) -> Vec<NodeIndex> {
        let order = self.planned.plan.order.iter();
        order.copied().filter(|&node| self.waits_for(node).is_none()).collect()
    }

    /// The first step that `node` needs and that is not remembered.
    pub(crate) fn waits_for(&self, node: NodeIndex) -> Option<&str> {
        let needs = self.planned.plan.needs(node).into_iter();
        let open = needs.map(NodeIndex::new).find(|&need| self.result(need).is_none());
        open.map(|need| self.label(need))
    }

    /// The tree that `node` is remembered to have left.
    pub(crate) fn result(&self, node: NodeIndex) -> Option<TreeDigest> {
        self.pins.done[node.index()].get().map(|done| done.tree)
    }

    /// The action of `node`, whose needs are all remembered.
    pub(crate) fn pin(&self, node: NodeIndex) -> Result<Pinned, Failure> {
        self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))
    }

    /// How `node` is called.
    pub(crate) fn label(&self, node: NodeIndex) -> &str {
        &self.step(node).label
    }

    /// How `nodes` are called.
    pub(crate) fn labels(&self, nodes: &[NodeIndex]) -> Vec<&str> {
        nodes.iter().map(|&node| self.label(node)).collect()
    }

    /// The files of the checkout.
    pub(crate) fn files(&self) -> &Files<'_> {
        &self.checkout.files
    }

    pub(crate) fn step(&self, node: NodeIndex) -> &Step {
        &self.planned.plan.graph[node]
    }

    /// What would become of `node`; those that it needs must have been asked before.
    fn planned_step(&self, node: NodeIndex) -> Result<PlannedStep, Failure> {
        let step = self.step(node);
        let needs = self.planned.plan.needs(node);
        let waits = needs.iter().find(|&&need| self.pins.done[need].get().is_none());
        let past = self.checkout.history.get(&step.label);
        let (state, reason, key) = match waits {
            Some(&need) => {
                let waits = format!("waits for {}", self.step(NodeIndex::new(need)).label);
                (PlannedState::Unknown, waits, None)
            }
            None => self.key_state(node)?,
        };
        Ok(PlannedStep {
            id: node.index(),
            label: step.label.clone(),
            state,
            reason,
            key: key.map(|key| key.to_string()),
            needs,
            usual_ms: past.map(|past| past.dur_ms),
        })
    }

    fn key_state(
        &self,
        node: NodeIndex,
    ) -> Result<(PlannedState, String, Option<ActionDigest>), Failure> {
        let step = self.step(node);
        let action = self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))?.action;
        let key = action.digest();
        let store = &self.checkout.session.store;
        match store.action(&key).map_err(|error| Failure::from(store_failure(&error)))? {
            Lookup::Hit(stored) => {
                let tree = stored.tree();
                let done = Done { tree, manifest: stored.into_record().outputs };
                let _ = self.pins.done[node.index()].set(done);
                Ok((PlannedState::Hit, Reason::Remembered.to_string(), Some(key)))
            }
            Lookup::Miss | Lookup::Corrupt(_) => {
                let past = self.checkout.history.get(&step.label);
                Ok((PlannedState::Run, reason(store, past, &key, &action).to_string(), Some(key)))
            }
        }
    }

    pub(crate) fn why(&self, node: NodeIndex) -> Result<Why, Failure> {
        let step = self.step(node);
        let label = step.label.clone();
        let nothing = |summary: String| Why {
            label: label.clone(),
            summary,
            changes: Vec::new(),
            unchanged: 0,
        };
        let waiting = self
            .planned
            .plan
            .needs(node)
            .into_iter()
            .map(NodeIndex::new)
            .find(|need| self.pins.done[need.index()].get().is_none());
        if let Some(need) = waiting {
            let inner = self.why(need)?;
            let change = WhyChange {
                field: format!("modules of {}", inner.label),
                old: None,
                new: None,
                place: None,
                because: Some(Box::new(inner)),
            };
            let summary = format!("{label} would be looked at after what it needs has run");
            return Ok(Why { label, summary, changes: vec![change], unchanged: 0 });
        }
        let Some(past) = self.checkout.history.get(&step.label) else {
            return Ok(nothing(format!("{label} was never built in this checkout")));
        };
        let action = self.pinner.pin(node).map_err(|diagnostic| Failure::from(*diagnostic))?.action;
        let key = action.digest();
        let (old_key, tense) = match past.last == key {
            true if past.before == past.last => {
                return Ok(nothing(format!(
                    "{label} has had the same key since it was first built here"
                )));
            }
            true => (past.before, "ran last"),
            false => (past.last, "would run"),
        };
        let store = &self.checkout.session.store;
        let Some(old) = fields_of(store, &old_key) else {
            return Ok(nothing(format!(
                "{label} {tense}; what it was compared with is gone from the store"
            )));
        };
        let new = action.fields();
        let found = changes(&old, &new);
        let unchanged =
            new.len().saturating_sub(found.iter().filter(|change| change.new.is_some()).count());
        let mut explained = Vec::new();
        for change in &found {
            explained.push(self.explain(node, change)?);
        }
        let summary = match found.first() {
            Some(first) => format!("{label} {tense} because of: {first}"),
            None => format!("{label} {tense}; no field differs"),
        };
        Ok(Why { label, summary, changes: explained, unchanged })
    }

    fn explain(&self, node: NodeIndex, change: &Change) -> Result<WhyChange, Failure> {
        let path = change.key.as_deref().and_then(|key| key.strip_prefix("work/"));
        let mut because = None;
        let mut place = None;
        match (change.group.as_str(), path) {
            ("inputs", Some(path)) => match path.strip_prefix(".wake/modules/") {
                Some(rest) => {
                    let id = rest.split('/').next().unwrap_or(rest);
                    if let Some(&dep) = self.planned.plan.by_id.get(id).filter(|&&dep| dep != node)
                    {
                        because = Some(Box::new(self.why(dep)?));
                    }
                }
                None => place = self.file_of(node, path),
            },
            ("rootfs", _) => RootCause { place, because } = self.root_cause(node, change)?,
            _ => place = self.value_place(node, change),
        }
        let field = match (&change.key, path) {
            (_, Some(path)) => format!("{}.{path}", change.group),
            (Some(key), None) => format!("{}.{key}", change.group),
            (None, None) => change.group.clone(),
        };
        let text = |value: &Option<wake_model::action::FieldValue>| {
            value.as_ref().map(ToString::to_string)
        };
        Ok(WhyChange { field, old: text(&change.old), new: text(&change.new), place, because })
    }

    /// The file of the checkout that lies at `path` of a command's working directory.
    fn file_of(&self, node: NodeIndex, path: &str) -> Option<String> {
        let instances = &self.planned.instances;
        let (owner, below) = match path.strip_prefix(".wake/pkgs/") {
            Some(rest) => {
                let (key, below) = rest.split_once('/').unwrap_or((rest, ""));
                (instances.get(key)?, below)
            }
            None => {
                let step = self.step(node);
                (instances.get(step.decl.pkg_files_owner(&step.pkg))?, path)
            }
        };
        let below: RelPath = if below.is_empty() { RelPath::root() } else { below.parse().ok()? };
        let file = owner.dir.join(&below);
        Path::new(&self.checkout.files.absolute(&file)).exists().then(|| file.to_string())
    }

    /// Where the new text of a field stands in what the step's evaluation read.
    fn value_place(&self, node: NodeIndex, change: &Change) -> Option<String> {
        let text = match change.new.as_ref()? {
            wake_model::action::FieldValue::Text(text) => text.trim_end(),
            _ => return None,
        };
        let step = self.step(node);
        let dir = &self.planned.instances.get(&step.pkg)?.dir;
        let wanted = self.texts_to_find(text, change);
        let Place { file, line, column, .. } =
            find_first(self.evaluator.files, dir, &step.reads, &wanted)
                .or_else(|| find_first(self.evaluator.files, dir, &self.pkg_reads(), &wanted))?;
        Some(format!("{file}:{line}:{column}"))
    }

    /// A literal of the text itself; for JSON on standard input, of each scalar that differs.
    fn texts_to_find(&self, text: &str, change: &Change) -> Vec<String> {
        let mut wanted = vec![format!("'{text}'"), format!("\"{text}\"")];
        let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
        if change.group == "stdin" {
            let old = match &change.old {
                Some(wake_model::action::FieldValue::Text(old)) => parse(old),
                _ => None,
            };
            if let Some(new) = parse(text) {
                differing(old.as_ref(), &new, &mut wanted);
            }
        }
        wanted
    }

    /// The package file, which every step depends on.
    fn pkg_reads(&self) -> Vec<wake_eval::Read> {
        let path = crate::workspace::PKG_FILE.parse().unwrap_or_default();
        let digest = Some(wake_model::BlobDigest::of(b""));
        vec![wake_eval::Read::File { path, digest }]
    }
}

fn differing(old: Option<&Value>, new: &Value, wanted: &mut Vec<String>) {
    match new {
        Value::Object(fields) => {
            for (key, value) in fields {
                let before = old.and_then(|old| old.get(key));
                if before != Some(value) {
                    differing(before, value, wanted);
                    if let Value::Number(_) | Value::Bool(_) = value {
                        wanted.push(format!("{key}: {value}"));
                    }
                }
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                let before = old.and_then(|old| old.get(at));
                if before != Some(value) {
                    differing(before, value, wanted);
                }
            }
        }
        Value::String(text) => wanted.extend([format!("'{text}'"), format!("\"{text}\"")]),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
