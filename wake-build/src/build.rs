//! Building: from targets to links, told as events.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::Value;
use wake_exec::CancelToken;
use wake_model::{Node, RelPath, TreeDigest};
use wake_store::ware::new_guid;

use crate::diagnostic::{Class, Diagnostic, Failure, Level};
use crate::evaluate::Evaluator;
use crate::event::{Counts, EVENT_VERSION, Event, Reporter};
use crate::execute::{Runner, store_failure};
use crate::links::{OUT_DIR, link, link_name};
use crate::plan::Plan;
use crate::run_log::Logged;
use crate::schedule::{Outcome, Rules, Schedule};
use crate::session::{Checkout, Pins, Planned, Session, elapsed_ms, needs};

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
        });
        let mut ending = Ending::default();
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
        let mut checkout = self.look();
        let result = self.build_in(&checkout, request, cancel, started, reporter, ending);
        if let Ok((_, keys)) = &result {
            for (label, key, dur_ms) in keys {
                checkout.history.note(label, *key, *dur_ms);
            }
        }
        self.save(&checkout, reporter);
        result.map(|(report, _)| report)
    }

    fn build_in(
        &self,
        checkout: &Checkout,
        request: &BuildRequest,
        cancel: &CancelToken,
        started: Instant,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Result<(BuildReport, Vec<LabelledKey>), Failure> {
        let evaluator = checkout.evaluator();
        let planned = checkout.plan(
            &evaluator,
            &request.targets,
            request.config.as_ref(),
            request.keep_going,
        )?;
        announce(&planned, checkout, &evaluator, started, reporter, ending);
        let pins = Pins::for_plan(&planned.plan);
        let host = || self.host();
        let pinner = pins.pinner(&planned, &evaluator, self, &host);
        let runner =
            Runner { store: &self.store, executor: &self.executor, files: &checkout.files, cancel };
        let rules =
            Rules { jobs: self.jobs, keep_going: request.keep_going, rebuild: request.rebuild };
        let schedule = Schedule::new(&pinner, &runner, &checkout.history, rules, started);
        let Outcome { counts, classes, keys, saved_ms } = schedule.run(&self.threads, reporter);
        ending.counts = counts;
        ending.classes.extend(classes);
        ending.saved_ms = saved_ms;
        let built = self.built(&planned, &pins, request.link, reporter, ending);
        let report = BuildReport { built, ..BuildReport::default() };
        let graph = &planned.plan.graph;
        let labelled = keys.into_iter().map(|(node, key, ms)| (graph[node].label.clone(), key, ms));
        Ok((report, labelled.collect()))
    }

    /// The requested modules that are done, linked into the checkout.
    fn built(
        &self,
        planned: &Planned,
        pins: &Pins,
        make_links: bool,
        reporter: &mut dyn Reporter,
        ending: &mut Ending,
    ) -> Vec<Built> {
        let Planned { plan, instances, .. } = planned;
        let out = self.workspace.root.join(OUT_DIR);
        let mut built = Vec::new();
        for node in plan.graph.node_indices() {
            let step = &plan.graph[node];
            let Some(done) = pins.done[node.index()].get().filter(|_| step.requested) else {
                continue;
            };
            let tree = self.store.tree_place(&done.tree);
            let dir = instances.get(&step.pkg).map(|pkg| pkg.dir.clone()).unwrap_or_default();
            let name = link_name(&dir, module_of(step));
            let mut made = None;
            if make_links {
                match link(&out, &name, &tree) {
                    Ok(()) => {
                        let path = Path::new(OUT_DIR).join(&name).display().to_string();
                        reporter.event(&Event::Linked { id: node.index(), path });
                        made = Some(out.join(&name));
                    }
                    Err(error) => {
                        let message =
                            format!("cannot link `{}`: {error}", out.join(&name).display());
                        ending.classes.push(Class::Environment);
                        let diagnostic = Diagnostic::error(Class::Environment, message);
                        reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
                    }
                }
            }
            let executable = |(path, node): (&RelPath, &Node)| match node {
                Node::File { executable: true, .. } => Some(path.clone()),
                _ => None,
            };
            built.push(Built {
                label: step.label.clone(),
                link: made,
                tree,
                digest: done.tree,
                outputs: step.instance.outputs.clone(),
                executables: done.manifest.iter().filter_map(executable).collect(),
            });
        }
        if make_links
            && !built.is_empty()
            && let Err(error) = self.store.register_root(&out)
        {
            reporter.event(&Event::Diagnostic(Box::new(warning(store_failure(&error)))));
        }
        built
    }

    /// Keeps what was learnt for next time; without it the next build is slower, not wrong.
    fn save(&self, checkout: &Checkout, reporter: &mut dyn Reporter) {
        let failed = |what: &str, error: String| {
            warning(Diagnostic::error(
                Class::Environment,
                format!("{what} could not be kept: {error}"),
            ))
        };
        let mut warnings = Vec::new();
        if let Err(error) = checkout.files.save(&self.files_file()) {
            warnings.push(failed("digests of files", error.to_string()));
        }
        if let Err(error) = checkout.history.write(&self.history_file()) {
            warnings.push(failed("the history of this checkout", error.to_string()));
        }
        if let Err(error) = self.store.flush_memo() {
            warnings.push(failed("evaluations", error.to_string()));
        }
        for diagnostic in warnings {
            reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
        }
    }
}

type LabelledKey = (String, wake_model::ActionDigest, u64);

#[derive(Default)]
struct Ending {
    classes: Vec<Class>,
    counts: Counts,
    saved_ms: u64,
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
    let Planned { instances, plan, left_out } = planned;
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
            needs: needs(plan, node),
            requested: step.requested,
            usual_ms: checkout.history.get(&step.label).map(|past| past.dur_ms),
        });
    }
}

fn trace(planned: &Planned, reporter: &mut dyn Reporter) {
    let Planned { instances, plan, .. } = planned;
    let lines = |label: String, texts: &[String], reporter: &mut dyn Reporter| {
        for text in texts {
            reporter.event(&Event::Trace { label: label.clone(), text: text.clone() });
        }
    };
    for instance in instances.values() {
        lines(crate::target::label(&instance.dir), &instance.trace, reporter);
    }
    let Plan { graph, order, .. } = plan;
    for &node in order {
        lines(graph[node].label.clone(), &graph[node].trace, reporter);
    }
}

/// Keeps version control from seeing what wake writes into a checkout.
fn ignore_state_dir(state_dir: &Path) {
    let ignore = state_dir.join(".gitignore");
    if !ignore.exists() {
        // Only a convenience: a checkout that cannot be written will be reported by what must be.
        let _ = crate::state::replace(&ignore, b"*\n");
    }
}
