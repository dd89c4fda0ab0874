//! Building: from targets to links, told as events.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use petgraph::graph::NodeIndex;
use rayon::prelude::*;
use serde_json::Value;
use wake_exec::CancelToken;
use wake_model::{Digest, Manifest, Node, RelPath, TreeDigest};
use wake_store::ware::new_guid;

use crate::diagnostic::{Class, Diagnostic, Failure, Level};
use crate::evaluate::Evaluator;
use crate::event::{Counts, EVENT_VERSION, Event, Reporter};
use crate::execute::{Runner, Slots, store_failure};
use crate::files::Files;
use crate::history::History;
use crate::links::{OUT_DIR, link, link_name};
use crate::pin::PlannedSteps;
use crate::plan::Plan;
use crate::profile::SpanKind;
use crate::run_log::Logged;
use crate::schedule::{Outcome, Rules, Schedule, Steps};
use crate::session::{Checkout, Pins, Planned, Session, elapsed_ms};
use crate::snapshot::{
    Capture, Differences, Meta, Records, Replay, Snapshot, Verdict, capture, check_results, place,
    request_key, shared_name, verify,
};

/// What is asked of a build.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The targets as typed; none: the package around the person.
    pub targets: Vec<String>,
    /// The configuration of the modules that the targets name.
    pub config: Option<Value>,
    /// Whether steps go on after one has failed.
    pub keep_going: bool,
    /// Whether the modules that the targets name run although they are remembered.
    pub rebuild: bool,
    /// Whether results are linked into the checkout.
    pub link: bool,
    /// Whether the report lists the results.
    pub results: bool,
}

/// What came of a build.
#[derive(Clone, Debug, Default)]
pub struct BuildReport {
    /// The exit code of the program.
    pub exit: u8,
    /// The modules that the targets name and that are done.
    pub built: Vec<Built>,
    /// What became of the steps.
    pub counts: Counts,
}

/// A module that is done.
#[derive(Clone, Debug)]
pub struct Built {
    /// How it is called.
    pub label: String,
    /// Its link, absolute; none if none was made.
    pub link: Option<PathBuf>,
    /// Its tree in the store, absolute.
    pub tree: PathBuf,
    /// The tree's digest.
    pub digest: TreeDigest,
    /// What its outputs function gave.
    pub outputs: Value,
    /// Its executable files, sorted.
    pub executables: Vec<RelPath>,
}

impl Session {
    /// Builds; whatever happens is told to `reporter`, last that the build is over.
    pub fn build(
        &self,
        request: &BuildRequest,
        cancel: &CancelToken,
        reporter: &mut dyn Reporter,
    ) -> BuildReport {
        let started = Instant::now();
        let run = new_guid();
        ignore_state_dir(&self.state_dir());
        let mut reporter = Logged::start(reporter, &self.state_dir(), &run);
        reporter.event(&Event::Started {
            v: EVENT_VERSION,
            run,
            wake: env!("CARGO_PKG_VERSION").to_owned(),
            argv: self.options.argv.clone(),
            root: self.workspace.root.display().to_string(),
            sandbox: self.options.sandbox.as_str().to_owned(),
            jobs: self.jobs,
        });
        let mut ending = Ending::default();
        let span = self.profile().stage("build");
        let report = match self.try_build(request, cancel, started, &mut reporter, &mut ending) {
            Ok(report) => report,
            Err(failure) => {
                for diagnostic in failure.diagnostics {
                    ending.classes.push(diagnostic.class);
                    reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
                }
                BuildReport::default()
            }
        };
        drop(span);
        if cancel.is_cancelled() {
            ending.classes = vec![Class::Interrupted];
        }
        ending.classes.sort_unstable();
        ending.classes.dedup();
        let exit = ending.classes.first().map_or(0, |class| class.exit_code());
        reporter.event(&Event::Finished {
            exit,
            classes: ending.classes.iter().map(|class| class.exit_code()).collect(),
            counts: ending.counts,
            wall_ms: elapsed_ms(started),
            saved_ms: ending.saved_ms,
        });
        BuildReport { exit, counts: ending.counts, ..report }
    }

    fn try_build(
        &self,
        request: &BuildRequest,
        cancel: &CancelToken,
        started: Instant,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Result<BuildReport, Failure> {
        let began = crate::files::now();
        let key = request_key(self, request);
        let scene = Scene { request, cancel, started, began, key };
        let mut snapshot = self.snapshot(&key);
        if !request.rebuild
            && let Some(snapshot) = &mut snapshot
            && let Some(report) = self.build_again(snapshot, &scene, reporter, ending)
        {
            return Ok(report);
        }
        let snapshot = snapshot.or_else(|| Snapshot::newest(&self.state_dir()));
        let mut checkout = self.look(snapshot.as_ref());
        let result = self.build_in(&checkout, &scene, reporter, ending);
        let mut remembered = None;
        if let Ok(InBuild { keys, snapshot, .. }) = &result {
            for (label, key, dur_ms) in keys {
                checkout.history.note(label, *key, *dur_ms);
            }
            remembered = *snapshot;
        }
        self.save(&checkout, remembered, reporter);
        result.map(|done| done.report)
    }

    /// The snapshot of the last build of a request here, else of another checkout of the same repository.
    fn snapshot(&self, key: &Digest) -> Option<Snapshot> {
        let of_others = || {
            let name = shared_name(key, &self.workspace.root);
            Snapshot::open(self.store.state(&name), key)
        };
        let _span = self.profile().begin(SpanKind::Snapshot, || "load snapshot".to_owned());
        let own = || Snapshot::open(place(&self.state_dir(), key), key);
        self.threads.install(|| own().or_else(of_others))
    }

    fn build_in(
        &self,
        checkout: &Checkout,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Result<InBuild, Failure> {
        let Scene { request, cancel, started, .. } = *scene;
        let evaluator = checkout.evaluator();
        let span = self.profile().stage("plan");
        let planned = checkout.plan(
            &evaluator,
            &request.targets,
            request.config.as_ref(),
            request.keep_going,
        )?;
        drop(span);
        announce(&planned, checkout, &evaluator, started, reporter, ending);
        let pins = Pins::for_plan(&planned.plan);
        let host = || self.host();
        let pinner = pins.pinner(&planned, &evaluator, self, &host);
        let runner = self.runner(&checkout.files, cancel);
        let steps = PlannedSteps::new(&pinner, &self.state_dir().join("state"));
        let rules =
            Rules { jobs: self.jobs, keep_going: request.keep_going, rebuild: request.rebuild };
        let schedule = Schedule::new(&steps, &runner, &checkout.history, rules, started);
        let span = self.profile().stage("run steps");
        let (outcome, flushed) = std::thread::scope(|scope| {
            // What was evaluated is put away while commands run.
            let flushing = scope.spawn(|| self.store.flush_memo());
            (schedule.run(reporter), flushing.join())
        });
        drop(span);
        if let Ok(Err(error)) = flushed {
            reporter.event(&Event::Diagnostic(Box::new(not_kept("evaluations", &error))));
        }
        let Outcome { counts, classes, keys, saved_ms } = outcome;
        ending.counts = counts;
        ending.classes.extend(classes);
        ending.saved_ms = saved_ms;
        let built = self.built(&planned, &pins, request, reporter, ending);
        let report = BuildReport { built, ..BuildReport::default() };
        let mut snapshot = None;
        if ending.classes.is_empty() && !cancel.is_cancelled() && request.link {
            let saved_ms = keys.iter().map(|(_, _, ms)| ms).sum();
            snapshot =
                self.remember(checkout, &planned, &pins, steps.into_records(), saved_ms, scene);
        }
        let graph = &planned.plan.graph;
        let labelled = keys
            .into_iter()
            .map(|(step, key, ms)| (graph[NodeIndex::new(step)].label.clone(), key, ms));
        Ok(InBuild { report, keys: labelled.collect(), snapshot })
    }

    /// Takes a snapshot, so that the next build of this request need not plan. Without one it will.
    fn remember(
        &self,
        checkout: &Checkout,
        planned: &Planned,
        pins: &Pins,
        records: Option<Records>,
        saved_ms: u64,
        scene: &Scene,
    ) -> Option<Taken> {
        let steps = records?;
        let lies = |(step, done): (usize, &std::sync::OnceLock<crate::pin::Done>)| {
            Some((step, self.store.tree_place(&done.get()?.tree)))
        };
        let mut trace = Vec::new();
        each_trace(planned, &mut |label, text| trace.push((label.to_owned(), text.to_owned())));
        let meta = Meta {
            pkgs: planned.instances.len(),
            trace,
            host: self.known_host().map(|host| host.to_string()),
            boot: wake_store::current_boot(),
            saved_ms,
        };
        let trees = pins.done.iter().enumerate().filter_map(lies).collect();
        let (files, began) = (&checkout.files, scene.began);
        let _span = self.profile().begin(SpanKind::Snapshot, || "save snapshot".to_owned());
        let taken = Capture { files, planned, steps, trees, meta, began };
        let place = place(&self.state_dir(), &scene.key);
        self.threads.install(|| capture(&taken, &place, &scene.key))?;
        let name = shared_name(&scene.key, &self.workspace.root);
        // Only other checkouts do without it.
        let _ = self.store.keep_state(&name, &place);
        Some(Taken)
    }

    /// Builds from the snapshot of the last build of the same request, if that can be relied on.
    fn build_again(
        &self,
        snapshot: &mut Snapshot,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Option<BuildReport> {
        let Scene { request, cancel, .. } = *scene;
        let profile = self.profile();
        let snapshot_span = |name: &str| profile.begin(SpanKind::Snapshot, || name.to_owned());
        let meta = snapshot.meta()?;
        (meta.boot == wake_store::current_boot()).then_some(())?;
        let host = match &meta.host {
            Some(host) => Some(self.host().ok().filter(|now| now.to_string() == *host)?),
            None => None,
        };
        let root = &self.workspace.root;
        let span = snapshot_span("verify snapshot");
        let verdict = self.threads.install(|| verify(snapshot, root, profile));
        drop(span);
        let Verdict::Holds(differences) = verdict else { return None };
        let out = root.join(OUT_DIR);
        let span = snapshot_span("find what changes reach");
        let reached =
            || Replay::new(snapshot, &differences, &self.store, host, self.options.sandbox);
        let replay = self.threads.install(reached)?;
        drop(span);
        let span = snapshot_span("verify results");
        // A result that is to be made again need not be what it was.
        let made_again: HashSet<usize> =
            replay.order().iter().filter_map(|&step| snapshot.result_of(step)).collect();
        let check = || check_results(snapshot, &out, self.store.root(), &made_again);
        let broken = self.threads.install(check)?;
        drop(span);
        for (label, text) in &meta.trace {
            reporter.event(&Event::Trace { label: label.clone(), text: text.clone() });
        }
        let total = snapshot.steps();
        ending.counts.total = total;
        let looked_at = replay.steps().count();
        ending.counts.hit = total - looked_at;
        ending.saved_ms = meta.saved_ms;
        self.link_all(&out, &broken, reporter, ending);
        if looked_at > 0 {
            self.perform_again(&replay, &differences, scene, reporter, ending);
        }
        let built =
            if request.results { again_built(self, snapshot, &replay, &out) } else { Vec::new() };
        let patched = !differences.files.is_empty() || !differences.dirs.is_empty();
        if patched && ending.classes.is_empty() && !cancel.is_cancelled() {
            let _span = snapshot_span("save snapshot");
            let patch = replay.patch(&differences);
            // Without it the next build looks at the same files again.
            let place = place(&self.state_dir(), &scene.key);
            let _ = patch.map(|patch| snapshot.keep(&place, patch));
        }
        Some(BuildReport { built, ..BuildReport::default() })
    }

    /// Makes links below `out` lead to trees, and says which could not be made, by their numbers.
    fn link_all(
        &self,
        out: &Path,
        links: &[(String, PathBuf)],
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> HashSet<usize> {
        if links.is_empty() {
            return HashSet::new();
        }
        if let Err(error) = self.store.register_root(out) {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
        let failed: Vec<_> = self.threads.install(|| {
            let make = |(name, target): &(String, PathBuf)| link(out, Path::new(name), target);
            let links = links.par_iter().enumerate().with_min_len(32);
            links.filter_map(|(number, link)| Some((number, make(link).err()?))).collect()
        });
        for (number, error) in &failed {
            let link = out.join(&links[*number].0);
            let message = format!("cannot link `{}`: {error}", link.display());
            ending.classes.push(Class::Environment);
            let diagnostic = Diagnostic::error(Class::Environment, message);
            reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
        }
        failed.into_iter().map(|(number, _)| number).collect()
    }

    fn perform_again(
        &self,
        replay: &Replay,
        differences: &Differences,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) {
        let Scene { request, cancel, started, .. } = *scene;
        let files = Files::open(&self.workspace.root, Path::new(""), None).profiled(self.profile());
        for (_, path, seen, signature, settled) in &differences.files {
            files.prime(path.clone(), seen.clone(), *signature, *settled);
        }
        let mut history = History::default();
        for (step, record) in replay.steps() {
            history.note(&record.label, record.result.key, record.result.dur_ms);
            reporter.event(&Event::Announced {
                id: step,
                label: record.label.clone(),
                needs: replay.needs(step),
                requested: record.link.is_some(),
                usual_ms: Some(record.result.dur_ms),
            });
        }
        let runner = self.runner(&files, cancel);
        let rules = Rules { jobs: self.jobs, keep_going: request.keep_going, rebuild: false };
        let schedule = Schedule::new(replay, &runner, &history, rules, started);
        let span = self.profile().stage("run steps");
        let Outcome { counts, classes, keys, saved_ms } = schedule.run(reporter);
        drop(span);
        ending.counts.add(&counts);
        ending.classes.extend(classes);
        ending.saved_ms =
            ending.saved_ms.saturating_sub(replay.steps().map(|(_, r)| r.result.dur_ms).sum())
                + saved_ms;
        let (mut noted, mut links) = (Vec::new(), Vec::new());
        for (step, key, dur_ms) in keys {
            let label = Steps::label(replay, step);
            history.note(label, key, dur_ms);
            noted.extend(history.get(label).map(|past| (label.to_owned(), *past)));
            if let (Some(link), Some(tree)) = replay.link_of(step) {
                links.push((link, self.store.tree_place(&tree)));
            }
        }
        self.link_all(&self.workspace.root.join(OUT_DIR), &links, reporter, ending);
        // Only explanations and estimates are lost with it.
        let _ = History::append(&self.history_file(), &noted);
    }

    fn runner<'a>(&'a self, files: &'a Files, cancel: &'a CancelToken) -> Runner<'a> {
        let slots = Slots::new(self.jobs);
        let (store, executor, profile) = (&self.store, &self.executor, self.profile());
        Runner { store, executor, files, cancel, slots, profile }
    }

    /// Links the requested modules that are done into the checkout; gives them if the report is to list them.
    fn built(
        &self,
        planned: &Planned,
        pins: &Pins,
        request: &BuildRequest,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Vec<Built> {
        let _span = self.profile().stage("link");
        let Planned { plan, instances, .. } = planned;
        let out = self.workspace.root.join(OUT_DIR);
        let mut found = Vec::new();
        let mut links = Vec::new();
        for node in plan.graph.node_indices() {
            let step = &plan.graph[node];
            let Some(done) = pins.done[node.index()].get().filter(|_| step.requested) else {
                continue;
            };
            let dir = instances.get(&step.pkg).map(|pkg| pkg.dir.clone()).unwrap_or_default();
            let name = link_name(&dir, module_of(step)).to_string_lossy().into_owned();
            links.push((name, self.store.tree_place(&done.tree)));
            found.push((node, done));
        }
        let mut unlinked = HashSet::new();
        if request.link {
            unlinked = self.link_all(&out, &links, reporter, ending);
        }
        let mut built = Vec::new();
        for (number, ((node, done), (name, tree))) in found.into_iter().zip(links).enumerate() {
            let is_linked = request.link && !unlinked.contains(&number);
            if is_linked {
                let path = format!("{OUT_DIR}/{name}");
                reporter.event(&Event::Linked { id: node.index(), path });
            }
            if request.results {
                let step = &plan.graph[node];
                built.push(Built {
                    label: step.label.clone(),
                    link: is_linked.then(|| out.join(&name)),
                    tree,
                    digest: done.tree,
                    outputs: step.instance.outputs.clone(),
                    executables: executables(&done.manifest),
                });
            }
        }
        built
    }

    /// Keeps what was learnt for next time; without it the next build is slower, not wrong.
    ///
    /// A snapshot that was taken says what is known of files.
    fn save(&self, checkout: &Checkout, snapshot: Option<Taken>, reporter: &mut dyn Reporter) {
        let _span = self.profile().stage("save");
        let mut warnings = Vec::new();
        if snapshot.is_none()
            && let Err(error) = checkout.files.save(&self.files_file())
        {
            warnings.push(not_kept("digests of files", &error));
        }
        if let Err(error) = checkout.history.write(&self.history_file()) {
            warnings.push(not_kept("the history of this checkout", &error));
        }
        if let Err(error) = self.store.flush_memo() {
            warnings.push(not_kept("evaluations", &error));
        }
        for diagnostic in warnings {
            reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
        }
    }
}

/// What a build is made of beside its checkout.
struct Scene<'a> {
    request: &'a BuildRequest,
    cancel: &'a CancelToken,
    started: Instant,
    began: i128,
    key: Digest,
}

/// What came of a build from the sources on.
struct InBuild {
    report: BuildReport,
    keys: Vec<LabelledKey>,
    snapshot: Option<Taken>,
}

/// Says that a snapshot was taken.
#[derive(Clone, Copy)]
struct Taken;

type LabelledKey = (String, wake_model::ActionDigest, u64);

#[derive(Default)]
struct Ending {
    classes: Vec<Class>,
    counts: Counts,
    saved_ms: u64,
}

fn not_kept(what: &str, error: &dyn std::error::Error) -> Diagnostic {
    let message = format!("{what} could not be kept: {error}");
    warning(Diagnostic::error(Class::Environment, message))
}

fn warning(mut diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.level = Level::Warning;
    diagnostic
}

/// The name that a step's module has in its package.
pub(crate) fn module_of(step: &crate::plan::Step) -> &str {
    match &step.op {
        wake_eval::Op::Module { name, .. } => name,
        _ => &step.decl.name,
    }
}

fn announce(
    planned: &Planned,
    checkout: &Checkout,
    evaluator: &Evaluator,
    started: Instant,
    reporter: &mut dyn Reporter,
    ending: &mut Ending,
) {
    let Planned { instances, plan, left_out, walked: _ } = planned;
    for diagnostic in left_out {
        ending.classes.push(diagnostic.class);
        reporter.event(&Event::Diagnostic(Box::new(diagnostic.clone())));
    }
    reporter.event(&Event::Evaluated {
        pkgs: instances.len(),
        modules: plan.graph.node_count(),
        evaluations: evaluator.tally.all.load(Ordering::Relaxed),
        cached: evaluator.tally.cached.load(Ordering::Relaxed),
        t_ms: elapsed_ms(started),
    });
    trace(planned, reporter);
    for &node in &plan.order {
        let step = &plan.graph[node];
        reporter.event(&Event::Announced {
            id: node.index(),
            label: step.label.clone(),
            needs: plan.needs(node),
            requested: step.requested,
            usual_ms: checkout.history.get(&step.label).map(|past| past.dur_ms),
        });
    }
}

fn trace(planned: &Planned, reporter: &mut dyn Reporter) {
    each_trace(planned, &mut |label, text| {
        reporter.event(&Event::Trace { label: label.to_owned(), text: text.to_owned() });
    });
}

fn each_trace(planned: &Planned, tell: &mut dyn FnMut(&str, &str)) {
    let Planned { instances, plan, .. } = planned;
    for instance in instances.values() {
        let label = crate::target::label(&instance.dir);
        instance.trace.iter().for_each(|text| tell(&label, text));
    }
    let Plan { graph, order, .. } = plan;
    for &node in order {
        graph[node].trace.iter().for_each(|text| tell(&graph[node].label, text));
    }
}

fn executables(manifest: &Manifest) -> Vec<RelPath> {
    let executable = |(path, node): (&RelPath, &Node)| match node {
        Node::File { executable: true, .. } => Some(path.clone()),
        _ => None,
    };
    manifest.iter().filter_map(executable).collect()
}

/// The results of a build that was carried out from a snapshot.
fn again_built(session: &Session, snapshot: &Snapshot, replay: &Replay, out: &Path) -> Vec<Built> {
    let records = (0..snapshot.steps()).filter_map(|step| replay.record(step));
    let built = records.filter_map(|record| {
        let link = record.link.as_ref()?;
        Some(Built {
            label: record.label.clone(),
            link: Some(out.join(link)),
            tree: session.store.tree_place(&record.result.tree),
            digest: record.result.tree,
            outputs: serde_json::from_str(&record.outputs).unwrap_or_default(),
            executables: executables(&record.result.manifest),
        })
    });
    built.collect()
}

/// Keeps version control from seeing what wake writes into a checkout.
fn ignore_state_dir(state_dir: &Path) {
    let ignore = state_dir.join(".gitignore");
    if !ignore.exists() {
        // Only a convenience: a checkout that cannot be written will be reported by what must be.
        let _ = crate::state::replace(&ignore, b"*\n");
    }
}
