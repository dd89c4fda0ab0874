//! Building: from targets to links, reported as events.

mod request;
mod linking;
mod module_steps;
mod planned;
mod recall;
mod kept;
mod again;
mod visit;

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use wake_model::{Digest, Manifest, Node, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::event::{Counts, Event, Reporter};
use wake_steps::run::{Run, RunEnd};
use wake_steps::{BatchResult, Cancel, clock};
use wake_store::{ConfinedPath, Obstacle, Refusal};

use self::again::Look;
use self::kept::Ground;
pub use self::kept::{Kept, LookOver, Standing};
pub(crate) use self::module_steps::ModuleSteps;
use self::planned::InBuild;
pub(crate) use self::planned::warnings;
use self::recall::Recall;
pub(crate) use self::request::foresight_key;
use self::request::request_key;
pub use self::request::{BuildRequest, LinkPolicy};
pub(crate) use self::visit::check_runs;
pub use self::visit::{Entering, Guest, GuestManner, StepVisit, VisitEnd, VisitPlace, VisitedStep};
use crate::retrieve::Audience;
use crate::session::Session;
use crate::snapshot::Snapshot;

/// The most build logs kept in a checkout.
const KEPT_LOGS: usize = 50;

/// The result of a build.
#[derive(Clone, Debug, Default)]
pub struct BuildReport {
    /// The exit code of the program.
    pub exit: u8,
    /// The modules named by the targets that are done.
    pub built: Vec<BuiltModule>,
    /// The steps, by how they ended.
    pub counts: Counts,
}

/// A module that is done.
#[derive(Clone, Debug)]
pub struct BuiltModule {
    /// Its label.
    pub label: String,
    /// Its link, absolute; none if it has no link.
    pub link: Option<PathBuf>,
    /// Its tree in the store, absolute.
    pub tree: PathBuf,
    /// The tree's digest.
    pub digest: TreeDigest,
    /// The value of its outputs function.
    pub outputs: Value,
    /// Its executable files, sorted.
    pub executables: Vec<RelPath>,
}

impl Session {
    /// Creates a run that begins now, with its log in `state_dir`.
    fn new_run<'a>(
        &'a self,
        state_dir: &'a ConfinedPath,
        cancel: &'a Cancel,
        started: Instant,
        overrides: &'a [String],
    ) -> Run<'a> {
        let (argv, root) = (&self.argv, &self.workspace.root);
        let (kept_logs, tells_host) = (KEPT_LOGS, false);
        Run { state_dir, kept_logs, argv, root, tells_host, cancel, started, overrides }
    }

    /// Builds, and reports all events to `reporter`; the last one is the end of the build.
    pub fn build(
        &self,
        request: &BuildRequest,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
    ) -> BuildReport {
        self.build_from(Ground::Disk, request, cancel, reporter)
    }

    fn build_from(
        &self,
        ground: Ground<'_>,
        request: &BuildRequest,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
    ) -> BuildReport {
        let started = clock::now();
        ignore_state_dir(&self.state_dir());
        self.registries.count_with(cancel.meter());
        let state_dir = self.state_dir();
        let overrides: Vec<String> = self.workspace.settings.overrides.lines().collect();
        let run = self.new_run(&state_dir, cancel, started, &overrides);
        let span = self.profile().stage("build");
        let (end, report) = self.machine.run(&run, reporter, |reporter, ending| {
            for diagnostic in &self.warnings {
                reporter.event(&Event::Diagnostic(Box::new(diagnostic.clone())));
            }
            let result = self.try_build(ground, request, cancel, started, reporter, ending);
            drop(span);
            for diagnostic in self.mirror_warnings() {
                reporter.event(&Event::Diagnostic(Box::new(diagnostic)));
            }
            for refusal in self.workspace.dir.refusals() {
                reporter.event(&Event::Diagnostic(Box::new(refused(&refusal))));
            }
            result
        });
        let RunEnd { exit, counts } = end;
        BuildReport { exit, counts, ..report.unwrap_or_default() }
    }

    fn try_build(
        &self,
        ground: Ground<'_>,
        request: &BuildRequest,
        cancel: &Cancel,
        started: Instant,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> Result<BuildReport, Failure> {
        let began = crate::files::now();
        let key = request_key(self, request);
        let scene = Scene { request, cancel, started, began, key };
        let mut recall;
        let reporter: &mut dyn Reporter = match request.recalls_warnings {
            true => {
                recall = Recall { inner: reporter, store: self.store() };
                &mut recall
            }
            false => reporter,
        };
        let is_from_anew = request.is_from_anew();
        if let Ground::Kept { snapshot, touched, standing } = ground
            && !is_from_anew
            && let Some((report, now)) =
                self.build_again(snapshot, Look::At(touched), &scene, reporter, ending)
        {
            *standing = now;
            return Ok(report);
        }
        let mut snapshot = self.snapshot(&key);
        if !is_from_anew
            && let Some(snapshot) = &mut snapshot
            && let Some((report, _)) =
                self.build_again(snapshot, Look::Everywhere, &scene, reporter, ending)
        {
            return Ok(report);
        }
        let snapshot = snapshot.or_else(|| Snapshot::newest(&self.state_dir()));
        let mut checkout = self.look(snapshot.as_ref());
        let mut result = self.build_in(&checkout, &scene, reporter, ending);
        if result.is_err() && checkout.is_to_be_made_ready() {
            let mut tell = |event: &Event| reporter.event(event);
            let mut audience = Audience { cancel, tell: &mut tell };
            let changes = self.make_ready(&checkout, &mut audience)?;
            for change in changes {
                reporter.event(&Event::Locked { change: change.to_string() });
            }
            checkout = self.look(snapshot.as_ref());
            result = self.build_in(&checkout, &scene, reporter, ending);
        }
        for change in self.lock_images(&checkout)? {
            reporter.event(&Event::Locked { change });
        }
        if let Ok(InBuild { keys, .. }) = &result {
            for (label, key, dur_ms) in keys {
                checkout.history.note(label, *key, *dur_ms);
            }
        }
        let is_remembered = result.as_ref().is_ok_and(|done| done.is_remembered);
        self.save(&checkout, is_remembered, reporter);
        // Dropped in the background; the program usually exits first.
        let known = checkout.files.into_known();
        self.machine.threads().spawn(move || drop(known));
        result.map(|done| done.report)
    }
}

/// What a build uses besides its checkout.
struct Scene<'a> {
    request: &'a BuildRequest,
    cancel: &'a Cancel,
    started: Instant,
    began: i128,
    key: Digest,
}

fn not_kept(what: &str, error: &dyn std::error::Error) -> Diagnostic {
    let message = format!("cannot save {what}: {error}");
    warning(Diagnostic::error(Class::Environment, message))
}

fn refused(refusal: &Refusal) -> Diagnostic {
    let help = match refusal.obstacle {
        Obstacle::Large { .. } => "the file was not read; it can be removed at any time",
        _ => "nothing was read or written there; remove it, and wake recreates what it needs",
    };
    warning(Diagnostic::error(Class::Environment, refusal.to_string())).help(help)
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

/// Hides what wake writes into a checkout from version control.
pub(crate) fn ignore_state_dir(state_dir: &ConfinedPath) {
    let ignore = state_dir.join(".gitignore");
    if ignore.stat().is_err() {
        // Only a convenience: an unwritable checkout is reported where it matters.
        let _ = ignore.replace_by(&[b"*\n"]);
    }
}
