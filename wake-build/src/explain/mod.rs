//! Explaining without running: what would run, why, and how modules depend on each other.

mod view;
mod job;
mod made_image;
mod query;
mod forecast;
mod foresight;
mod tree;
mod depends;

use petgraph::graph::NodeIndex;
use serde::Serialize;
use wake_eval::NoAnswers;
use wake_model::NameMap;
use wake_model::declared::ModuleSource;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::explain::{Outlook, PlannedStep, Why};
use wake_steps::{Cancel, Results};

pub use self::depends::{NeedLine, PkgReason};
pub use self::forecast::Forecasts;
pub use self::job::StepJob;
pub use self::made_image::MadeImage;
pub use self::query::{FoundModule, QueryResult};
pub use self::tree::PkgNode;
use self::view::View;
use crate::build::{ModuleSteps, ignore_state_dir, warnings};
use crate::expression::{EvalResult, Expression};
use crate::load::LoadedPkg;
use crate::lower::{Lowering, step_id};
use crate::pkg_place::PkgPlace;
use crate::plan::Wish;
use crate::purpose::{Purpose, TagSelection};
use crate::session::{Checkout, Session};
use crate::snapshot::Snapshot;
use crate::target::{TargetConfig, TargetPattern};

/// An answer, with warnings.
#[derive(Clone, Debug)]
pub struct Explained<T> {
    /// The answer.
    pub answer: T,
    /// What was left out of it, and why.
    pub warnings: Vec<Diagnostic>,
}

/// The modules that targets reach.
#[derive(Clone, Debug, Serialize)]
pub struct Graph {
    /// The modules.
    pub nodes: Vec<GraphNode>,
    /// Their dependencies.
    pub edges: Vec<GraphEdge>,
}

/// A module in a graph.
#[derive(Clone, Debug, Serialize)]
pub struct GraphNode {
    /// Its number.
    pub id: usize,
    /// Its label.
    pub label: String,
    /// Whether a target names it.
    pub requested: bool,
}

/// A dependency.
#[derive(Clone, Debug, Serialize)]
pub struct GraphEdge {
    /// The dependent module.
    pub from: usize,
    /// The dependency.
    pub to: usize,
    /// Its key.
    pub key: String,
}

/// A package as `wake ls` lists it.
#[derive(Clone, Debug, Serialize)]
pub struct PackageListing {
    /// Its label.
    pub label: String,
    /// `namespace/name`, or the name alone.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its modules.
    pub modules: Vec<String>,
}

/// Which modules of a package to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingDepth {
    /// Those that a pattern matches.
    Modules,
    /// Also those that belong to another module, like `server.unit` to `server`.
    Parts,
}

impl Session {
    /// Returns what a build of `targets` would do.
    pub fn plan(
        &self,
        targets: &[TargetPattern],
        config: Option<&TargetConfig>,
    ) -> Result<Explained<Vec<PlannedStep>>, Failure> {
        self.with_plan(targets, config, |view| view.outlook.plan())
    }

    /// Explains why each module that `targets` name last ran, or would run now.
    pub fn why(
        &self,
        targets: &[TargetPattern],
        config: Option<&TargetConfig>,
    ) -> Result<Explained<Vec<Why>>, Failure> {
        self.with_plan(targets, config, |view| {
            view.outlook.plan()?;
            view.requested().into_iter().map(|node| view.outlook.why(step_id(node))).collect()
        })
    }

    /// Returns the modules that `targets` reach, and their dependencies.
    pub fn graph(
        &self,
        targets: &[TargetPattern],
        config: Option<&TargetConfig>,
    ) -> Result<Explained<Graph>, Failure> {
        self.with_plan(targets, config, |view| {
            use petgraph::visit::EdgeRef;
            let graph = &view.plan.graph;
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

    /// Returns the packages that `targets` name, loaded but not planned.
    pub fn ls(
        &self,
        targets: &[TargetPattern],
        depth: ListingDepth,
    ) -> Result<Vec<PackageListing>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let (dirs, loaded) = checkout.load_named(&evaluator, targets)?;
        let places: Vec<PkgPlace> = dirs.into_iter().map(PkgPlace::Checkout).collect();
        let listed = places.iter().filter_map(|place| loaded.get(place)).map(|pkg| {
            let info = &pkg.decl.info;
            let modules = pkg.decl.modules.as_ref();
            PackageListing {
                label: pkg.place.label(),
                name: info.pkg_name().to_string(),
                version: info.version.to_string(),
                modules: modules.map(|all| names(all, depth)).unwrap_or_default(),
            }
        });
        let mut listed: Vec<PackageListing> = listed.collect();
        let is_open = |pkg: &LoadedPkg| pkg.decl.modules.is_none();
        if places.iter().filter_map(|place| loaded.get(place)).any(is_open) {
            let (by_place, instances) = checkout.instantiate(&evaluator, loaded, &places)?;
            let instance = |place| instances.get(by_place.get(place)?);
            for (listed, pkg) in listed.iter_mut().zip(places.iter().filter_map(instance)) {
                listed.modules = names(&pkg.modules, depth);
            }
        }
        self.keep_evaluations(&checkout)?;
        Ok(listed)
    }

    /// Evaluates an expression in the context of the package around it.
    pub fn eval(&self, expression: &Expression) -> Result<EvalResult, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let pkg = self.workspace.nearest_pkg(&self.workspace.here).unwrap_or_default();
        let root = self.workspace.absolute(&pkg);
        let op = expression.within(&root)?;
        let pkg = PkgPlace::Checkout(pkg);
        let evaluated = checkout.evaluator().evaluate(&pkg, op, &NoAnswers)?;
        let value = serde_json::from_str(evaluated.value.get()).unwrap_or_default();
        Ok(EvalResult { value, trace: evaluated.trace })
    }

    /// Plans `targets` and passes the plan on.
    fn with_plan<T>(
        &self,
        targets: &[TargetPattern],
        config: Option<&TargetConfig>,
        look: impl FnOnce(&View) -> Result<T, Failure>,
    ) -> Result<Explained<T>, Failure> {
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let evaluator = checkout.evaluator();
        let (purpose, tags) = (&Purpose::Everything, &TagSelection::default());
        let planned = checkout.plan(&evaluator, targets, config, Wish { purpose, tags }, false)?;
        let plan = &planned.plan;
        let results = Results::new(plan.graph.node_count());
        let lowering =
            Lowering::new(plan, &planned.instances, &evaluator, self.store(), &checkout.locked)
                .looking();
        let steps = ModuleSteps::new(&lowering, None);
        let cancel = Cancel::new()
            .map_err(|error| Diagnostic::error(Class::Environment, error.to_string()))?;
        let outlook = Outlook::new(&self.machine, &steps, &results, &checkout.history, &cancel);
        let instances = &planned.instances;
        let view = View { checkout: &checkout, plan, instances, results: &results, outlook };
        let answer = look(&view)?;
        self.keep_evaluations(&checkout)?;
        Ok(Explained { answer, warnings: warnings(&planned) })
    }

    fn keep_evaluations(&self, checkout: &Checkout) -> Result<(), Failure> {
        ignore_state_dir(&self.state_dir());
        // Digests that cannot be saved are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        self.store().flush_memo().map_err(|error| store_failure(&error).into())
    }
}

/// Returns the names of the modules to list.
fn names(modules: &NameMap<ModuleSource>, depth: ListingDepth) -> Vec<String> {
    let is_listed = |name: &&String| depth == ListingDepth::Parts || !name.contains('.');
    modules.keys().filter(is_listed).cloned().collect()
}
