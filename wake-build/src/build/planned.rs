//! Building from the sources: plan, perform, link, save a snapshot.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

use petgraph::graph::NodeIndex;
use wake_model::ActionDigest;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::{Event, Reporter};
use wake_steps::profile::SpanKind;
use wake_steps::run::announce;
use wake_steps::{Batch, BatchResult, Results, SchedulePolicy, StepId, clock};
use wake_store::ConfinedPath;

use super::module_steps::ModuleSteps;
use super::{
    BuildReport, BuildRequest, BuiltModule, LinkPolicy, Scene, executables, not_kept, warning,
};
use crate::evaluate::Evaluator;
use crate::links::{OUT_DIR, is_free};
use crate::lower::{Lowering, step_id};
use crate::plan::{ModuleStep, PlannedBuild, Wish};
use crate::purpose::Purpose;
use crate::session::{Checkout, Session};
use crate::snapshot::{Capture, Meta, Records, Spool, capture, place, shared_name};

/// The result of a build from the sources.
pub(super) struct InBuild {
    pub(super) report: BuildReport,
    /// The label, the key and the duration of each step that is done.
    pub(super) keys: Vec<(String, ActionDigest, u64)>,
    /// Whether a snapshot was taken.
    pub(super) is_remembered: bool,
}

impl Session {
    pub(super) fn build_in(
        &self,
        checkout: &Checkout,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> Result<InBuild, Failure> {
        let Scene { request, cancel, started, .. } = *scene;
        let evaluator = checkout.evaluator();
        let span = self.profile().stage("plan");
        let planned = checkout.plan(
            &evaluator,
            &request.targets,
            request.config.as_ref(),
            Wish { purpose: &request.purpose, tags: &request.tags },
            request.keep_going,
        )?;
        drop(span);
        if let Purpose::Tests(_) = request.purpose
            && !planned.plan.graph.node_weights().any(|step| step.requested)
        {
            return Err(nothing_to_test(&planned).into());
        }
        if let Some(conflict) = checkout.locked.conflict(&checkout.files) {
            reporter.event(&Event::Diagnostic(Box::new(conflict)));
        }
        if let (pkgs @ 1.., bytes) = checkout.locked.fetched() {
            let t_ms = clock::ms_since(started);
            reporter.event(&Event::Fetched { pkgs, bytes, t_ms });
        }
        tell_planned(&planned, &evaluator, started, reporter, ending);
        if request.link != LinkPolicy::Never {
            self.link_pkgs(&planned, &checkout.locked, request.link, reporter, ending);
        }
        let results = Results::new(planned.plan.graph.node_count());
        let lowering = Lowering::new(
            &planned.plan,
            &planned.instances,
            &evaluator,
            self.store(),
            &checkout.locked,
        );
        let records = Spool::new(&self.spare_dir(), planned.plan.graph.node_count());
        let steps = ModuleSteps::new(&lowering, Some(records));
        announce(&steps, &checkout.history, reporter);
        let rules = SchedulePolicy {
            keep_going: request.keep_going,
            rebuild: request.rebuild || request.runs.is_some(),
            runs: request.runs.unwrap_or(1),
            retries: request.retries,
        };
        let work = Batch {
            steps: &steps,
            results: &results,
            sources: &checkout.files,
            history: &checkout.history,
            rules,
            cancel,
            started,
        };
        let span = self.profile().stage("run steps");
        let mut flushed = Ok(());
        let outcome = self.machine.threads().in_place_scope(|scope| {
            // Evaluation is over; save its cache while commands run.
            scope.spawn(|_| {
                self.pool.rest();
                flushed = self.store().flush_memo();
                if request.link != LinkPolicy::Never {
                    self.sweep_links(&planned, &checkout.locked);
                }
            });
            self.machine.perform(&work, reporter)
        });
        drop(span);
        if let Err(error) = flushed {
            reporter.event(&Event::Diagnostic(Box::new(not_kept("evaluations", &error))));
        }
        let BatchResult { counts, classes, keys, saved_ms } = outcome;
        ending.counts = counts;
        ending.classes.extend(classes);
        ending.saved_ms = saved_ms;
        let built = self.built(&planned, &results, request, reporter, ending);
        let report = BuildReport { built, ..BuildReport::default() };
        if lowering.has_host_packages() {
            // A snapshot is valid only on the host that it was taken on.
            let _ = self.machine.host();
        }
        let mut is_remembered = false;
        if ending.classes.is_empty()
            && !cancel.is_cancelled()
            && request.link != LinkPolicy::Never
                        // Otherwise it would start from a lock that is about to change.
            && checkout.locked.new_images().is_empty()
            && let Some(records) = steps.into_records()
        {
            let saved_ms = keys.iter().map(|(_, _, ms)| ms).sum();
            let taken = self.remember(checkout, &planned, &results, records, saved_ms, scene);
            is_remembered = taken.is_some();
        }
        let graph = &planned.plan.graph;
        let labelled = keys
            .into_iter()
            .map(|(step, key, ms)| (graph[NodeIndex::new(step.0)].label.clone(), key, ms));
        let keys = labelled.collect();
        // Dropped in the background; the program usually exits first.
        self.machine.threads().spawn(move || drop(planned));
        Ok(InBuild { report, keys, is_remembered })
    }

    /// Takes a snapshot, so that the next build of this request does not have to plan.
    pub(super) fn remember(
        &self,
        checkout: &Checkout,
        planned: &PlannedBuild,
        results: &Results,
        steps: Records,
        saved_ms: u64,
        scene: &Scene,
    ) -> Option<()> {
        let lies = |(step, done): (StepId, &wake_steps::StepOutput)| {
            (step.0, self.store().tree_place(&done.tree))
        };
        let meta = Meta {
            pkgs: planned.instances.len(),
            trace: traces(planned),
            warnings: warnings(planned),
            host: self.machine.known_host().cloned(),
            boot: wake_store::current_boot(),
            saved_ms,
        };
        let trees = results.iter().map(lies).collect();
        let (files, began) = (&checkout.files, scene.began);
        let out = self.out_dir();
        let _span = self.profile().begin(SpanKind::Snapshot, || "save snapshot".to_owned());
        let lock = checkout.locked.digest();
        let taken = Capture { files, planned, lock, steps, trees, out, meta, began };
        let place = place(&self.state_dir(), &scene.key);
        self.machine.threads().install(|| capture(&taken, &place, &scene.key))?;
        let name = shared_name(&scene.key, &self.workspace.root);
        // Only other checkouts miss it.
        let _ = self.store().keep_state(&name, &place);
        Some(())
    }

    /// Links the requested modules that are done into the checkout; returns them if the report lists results.
    pub(super) fn built(
        &self,
        planned: &PlannedBuild,
        results: &Results,
        request: &BuildRequest,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> Vec<BuiltModule> {
        let _span = self.profile().stage("link");
        let PlannedBuild { plan, .. } = planned;
        let out = self.out_dir();
        let mut found = Vec::new();
        let mut links = Vec::new();
        for node in plan.graph.node_indices() {
            let step = &plan.graph[node];
            let Some(done) = results.get(step_id(node)).filter(|_| step.requested) else {
                continue;
            };
            let name = step.link_name();
            links.push((name, self.store().tree_place(&done.tree)));
            found.push((node, done));
        }
        let mut unlinked = HashSet::new();
        if request.link != LinkPolicy::Never {
            let steps = found.iter().map(|(node, _)| &*plan.graph[*node]);
            links.extend(plain_links(&out, steps.zip(&links)));
            unlinked = self.link_all(&out, &links, request.link, reporter, ending);
        }
        let mut built = Vec::new();
        for (number, ((node, done), (name, tree))) in found.into_iter().zip(links).enumerate() {
            let is_linked = request.link != LinkPolicy::Never && !unlinked.contains(&number);
            if is_linked {
                let path = format!("{OUT_DIR}/{name}");
                reporter.event(&Event::Linked { id: node.index(), path });
            }
            if request.results {
                let step = &plan.graph[node];
                built.push(BuiltModule {
                    label: step.label.clone(),
                    link: is_linked.then(|| out.join(&name).path()),
                    tree,
                    digest: done.tree,
                    outputs: serde_json::from_str(&step.instance.outputs).unwrap_or_default(),
                    executables: executables(&done.manifest),
                });
            }
        }
        built
    }

    /// Saves what was learnt for the next build; without it that build is slower, not wrong.
    ///
    /// A snapshot that was taken already records the files.
    pub(super) fn save(
        &self,
        checkout: &Checkout,
        is_remembered: bool,
        reporter: &mut dyn Reporter,
    ) {
        let _span = self.profile().stage("save");
        let mut warnings = Vec::new();
        if !is_remembered && let Err(error) = checkout.files.save(&self.files_file()) {
            warnings.push(not_kept("digests of files", &error));
        }
        if let Err(error) = checkout.history.write(&self.history_file()) {
            warnings.push(not_kept("the history of this checkout", &error));
        }
        if let Err(error) = self.store().flush_memo() {
            warnings.push(not_kept("evaluations", &error));
        }
        for diagnostic in warnings {
            reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
        }
    }
}

/// Links named after modules, for configurations: where the default is not linked there and no other configuration is. The only
/// configuration that was built is then found where the module's result always is.
fn plain_links<'a>(
    out: &ConfinedPath,
    steps: impl Iterator<Item = (&'a ModuleStep, &'a (String, PathBuf))>,
) -> Vec<(String, PathBuf)> {
    let mut by_name: BTreeMap<String, Vec<(bool, &PathBuf)>> = BTreeMap::new();
    for (step, (_, tree)) in steps {
        by_name.entry(step.plain_link_name()).or_default().push((step.decl.is_default, tree));
    }
    by_name.retain(|_, results| matches!(results.as_slice(), [(false, _)]));
    let opened = if by_name.is_empty() { None } else { out.open_dir().ok() };
    let is_free = |name: &str| opened.as_ref().is_none_or(|opened| is_free(opened, name));
    let free = by_name.into_iter().filter(|(name, _)| is_free(name));
    free.flat_map(|(name, results)| {
        results.into_iter().map(move |(_, to)| (name.clone(), to.clone()))
    })
    .collect()
}

fn tell_planned(
    planned: &PlannedBuild,
    evaluator: &Evaluator,
    started: Instant,
    reporter: &mut dyn Reporter,
    ending: &mut BatchResult,
) {
    let PlannedBuild { instances, plan, left_out, walked: _, root_reads: _ } = planned;
    for diagnostic in left_out {
        ending.classes.push(diagnostic.class);
        reporter.event(&Event::Diagnostic(Box::new(diagnostic.clone())));
    }
    for warning in warnings(planned) {
        reporter.event(&Event::Diagnostic(Box::new(warning)));
    }
    reporter.event(&Event::Evaluated {
        pkgs: instances.len(),
        modules: plan.graph.node_count(),
        evaluations: evaluator.tally.all.load(Ordering::Relaxed),
        cached: evaluator.tally.cached.load(Ordering::Relaxed),
        t_ms: clock::ms_since(started),
    });
    for (label, text) in traces(planned) {
        reporter.event(&Event::Trace { label, text });
    }
}

/// Returns the error for a test run without any tests.
fn nothing_to_test(planned: &PlannedBuild) -> Diagnostic {
    let error = Diagnostic::error(Class::Nothing, "nothing was tested");
    match planned.plan.unwanted.is_empty() {
        true => error.help("the targets have no modules"),
        false => error.help("no test of the targets was selected: `test=true` makes a module a test, and `--filter`, `--tag` and `--shard` select tests"),
    }
}

/// Returns the warnings about modules that were left out.
pub(crate) fn warnings(planned: &PlannedBuild) -> Vec<Diagnostic> {
    let left_out = planned.plan.left_out.iter();
    left_out.map(|module| warning(module.message(&planned.instances))).collect()
}

/// Returns the lines of `std.trace`, each with its origin.
fn traces(planned: &PlannedBuild) -> Vec<(String, String)> {
    let PlannedBuild { instances, plan, .. } = planned;
    let mut traces = Vec::new();
    for instance in instances.values() {
        let label = instance.place.label();
        traces.extend(instance.trace.iter().map(|text| (label.clone(), text.clone())));
    }
    for &node in &plan.order {
        let step = &plan.graph[node];
        traces.extend(step.trace.iter().map(|text| (step.label.clone(), text.clone())));
    }
    traces
}
