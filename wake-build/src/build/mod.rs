//! Building: from targets to links, told as events.
#![expect(clippy::disallowed_methods, reason = "how long things take is told and remembered")]

mod again;
mod linking;
mod planned;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use wake_exec::CancelToken;
use wake_model::{Digest, Manifest, Node, RelPath, TreeDigest};
use wake_store::ware::new_guid;

use planned::InBuild;

use crate::diagnostic::{Class, Diagnostic, Failure, Level};
use crate::event::{Counts, EVENT_VERSION, Event, Reporter};
use crate::execute::{Runner, Slots};
use crate::files::Files;
use crate::run_log::Logged;
use crate::session::{Session, elapsed_ms};
use crate::snapshot::{Snapshot, request_key};

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
        // Nobody waits for that; the program mostly ends before it is done.
        let known = checkout.files.into_known();
        self.threads.spawn(move || drop(known));
        result.map(|done| done.report)
    }

    fn runner<'a>(&'a self, files: &'a Files, cancel: &'a CancelToken) -> Runner<'a> {
        let slots = Slots::new(self.jobs);
        let (store, executor, profile) = (&self.store, &self.executor, self.profile());
        Runner { store, executor, files, cancel, slots, profile }
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

fn executables(manifest: &Manifest) -> Vec<RelPath> {
    let executable = |(path, node): (&RelPath, &Node)| match node {
        Node::File { executable: true, .. } => Some(path.clone()),
        _ => None,
    };
    manifest.iter().filter_map(executable).collect()
}

/// Keeps version control from seeing what wake writes into a checkout.
fn ignore_state_dir(state_dir: &Path) {
    let ignore = state_dir.join(".gitignore");
    if !ignore.exists() {
        // Only a convenience: a checkout that cannot be written will be reported by what must be.
        let _ = crate::state::replace(&ignore, b"*\n");
    }
}
