//! Verifies that dependents can build a package: from its archive alone, in an empty store, with what registries have.

use std::fs;
use std::path::Path;

use wake_model::release::{Need, NeedSource};
use wake_model::{LOCK_FILE, Lock, LockedPkg, PkgName, Release, TreeDigest, Version};
use wake_registry::StepRun;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::event::{Event, Reporter, Status};
use wake_steps::{Cancel, clock};

use crate::build::{BuildRequest, LinkPolicy};
use crate::locking::LockRequest;
use crate::registries::Registries;
use crate::session::{LockUse, Options, Session};
use crate::target::TargetPattern;
use crate::workspace::WORKSPACE_FILE;
use wake_model::place::PKG_FILE;

/// The result of verifying a package.
pub(super) struct Verified {
    /// Its dependencies, with the versions found.
    pub(super) needs: Vec<String>,
    /// How many of its modules were built.
    pub(super) modules: usize,
    /// How long that took, in milliseconds.
    pub(super) ms: u64,
    /// The packages it was built with.
    pub(super) materials: Vec<(String, TreeDigest)>,
    /// The steps that were run.
    pub(super) steps: Vec<StepRun>,
}

/// The key under which the verifying package gets it.
const KEY: &str = "it";

/// Gets the package of `release` into a separate workspace, whose registries also offer what is in `stage`, and builds all of its
/// modules if `build` is set.
pub(super) fn verify(
    session: &Session,
    release: &Release,
    stage: &Path,
    build: bool,
    cancel: &Cancel,
) -> Result<Verified, Failure> {
    let started = clock::now();
    let scratch = session.store().scratch().map_err(store_failure)?;
    let root = scratch.path().join("workspace");
    let written = fs::create_dir(&root)
        .and_then(|()| fs::write(root.join(WORKSPACE_FILE), ""))
        .and_then(|()| fs::write(root.join(PKG_FILE), package_file(release)));
    written.map_err(|source| {
        Diagnostic::error(Class::Environment, format!("`{}`: {source}", root.display()))
    })?;
    let options = Options {
        cwd: root.clone(),
        store: scratch.path().join("store"),
        store_is_explicit: true,
        lock_use: LockUse::MayChange,
        ..session.options.clone()
    };
    let mut other = Session::open(options)?;
    let settings = session.registries.settings().clone();
    let Options { mirrors, reach, route, gauge, .. } = &session.options;
    let registries = Registries::new(settings, mirrors.clone(), *reach, route, gauge.clone());
    other.registries = registries.with_stage(stage);
    let named = |failure| not_verified(failure, release);
    other.lock(&LockRequest::default(), cancel, &mut |_| {}).map_err(named)?;
    let text = fs::read_to_string(root.join(LOCK_FILE)).unwrap_or_default();
    let lock = Lock::parse(&text).unwrap_or_default();
    let needs = release.pkgs.values().map(|need| shown(need, &lock)).collect();
    let is_other =
        |pkg: &&LockedPkg| pkg.name != release.pkg_name() || pkg.version != release.version;
    let materials = lock.iter().filter(is_other).map(material).collect();
    let (mut modules, mut steps) = (0, Vec::new());
    if build {
        let request = BuildRequest {
            targets: vec![TargetPattern::of_dependency(KEY)],
            link: LinkPolicy::Never,
            keep_going: true,
            ..BuildRequest::default()
        };
        let mut collector = Collector::default();
        let report = other.build(&request, cancel, &mut collector);
        if report.exit != 0 {
            return Err(named(collector.failure()));
        }
        (modules, steps) = (collector.modules, collector.steps);
    }
    Ok(Verified { needs, modules, ms: clock::ms_since(started), materials, steps })
}

/// Returns a package that another was built with, as named in attestations.
fn material(pkg: &LockedPkg) -> (String, TreeDigest) {
    (format!("{}@{}", pkg.name, pkg.version), pkg.content)
}

/// Returns a package file that gets the verified package and provides the globals that it takes.
fn package_file(release: &Release) -> String {
    let get = |key: &str, name: &PkgName, version: &str, more: &str| {
        let namespace = name.namespace.as_ref();
        let namespace = namespace.map_or("null".to_owned(), |name| format!("'{name}'"));
        let name = &name.name;
        format!(
            "    '{key}': wake.getPkg(wake.pkgInfo('{name}', '{version}', namespace={namespace}){more}),\n"
        )
    };
    let mut pkgs = get(
        KEY,
        &release.pkg_name(),
        &exactly(&release.version),
        ", permissions=['defineGlobal', 'network']",
    );
    let globals = release.pkgs.values().filter(|need| need.from == NeedSource::Global);
    for (number, need) in globals.enumerate() {
        let request = need.request();
        let (name, version) = (request.pkg_name(), request.version.to_string());
        // A retriever may need permissions from its user.
        let more = ", global=true, permissions=['network']";
        pkgs += &get(&format!("global-{number}"), &name, &version, more);
    }
    format!(
        "function(wake) wake.pkg(\n  wake.pkgInfo('verification', '0.0.0'),\n  pkgs={{\n{pkgs}  }},\n)\n"
    )
}

/// Returns the requirement for exactly one version.
fn exactly(version: &Version) -> String {
    format!("={version}")
}

/// Returns `acme/text ^2.0: 2.0.1 from acme`.
fn shown(need: &Need, lock: &Lock) -> String {
    let request = need.request();
    let wanted = format!("{} {}", request.pkg_name(), request.version);
    let retrieved = || {
        let is_it = |pkg: &&LockedPkg| {
            pkg.name == request.pkg_name()
                && !pkg.is_of_registry()
                && request.version.matches(&pkg.version)
        };
        lock.iter().filter(is_it).max_by_key(|pkg| &pkg.version)
    };
    let found = match need.from {
        NeedSource::Retriever => retrieved(),
        NeedSource::Registry | NeedSource::Global => lock.find(&request),
    };
    match (need.from, found) {
        (NeedSource::Global, _) => format!("{wanted}: from the dependent's global packages"),
        (_, Some(found)) => format!("{wanted}: {} from {}", found.version, found.source),
        (_, None) => wanted,
    }
}

fn not_verified(mut failure: Failure, release: &Release) -> Failure {
    let who = format!("{} {}", release.pkg_name(), release.version);
    for diagnostic in &mut failure.diagnostics {
        // Its place is in a file that the user cannot see.
        diagnostic.place = None;
        diagnostic.message = format!("{who}, as dependents get it: {}", diagnostic.message);
        diagnostic.notes.push("nothing was published".to_owned());
    }
    failure
}

/// Collects errors.
#[derive(Default)]
struct Collector {
    diagnostics: Vec<Diagnostic>,
    modules: usize,
    steps: Vec<StepRun>,
}

impl Collector {
    fn failure(self) -> Failure {
        let none = || Diagnostic::error(Class::Action, "the build failed");
        let mut diagnostics = self.diagnostics;
        if diagnostics.is_empty() {
            diagnostics.push(none());
        }
        Failure { diagnostics }
    }
}

impl Reporter for Collector {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Announced { requested: true, .. } => self.modules += 1,
            Event::Diagnostic(diagnostic)
                if diagnostic.level == wake_steps::diagnostic::Level::Error =>
            {
                self.diagnostics.push((**diagnostic).clone());
            }
            Event::ActionFinished(finished) if finished.status != Status::Failed => {
                let step = |action: &String| StepRun {
                    label: finished.label.clone(),
                    action: action.clone(),
                    outputs: finished.outputs.clone(),
                };
                self.steps.extend(finished.key.as_ref().map(step));
            }
            Event::ActionFinished(finished) => {
                let how = finished.outcome.as_deref().unwrap_or("not run");
                let message = format!("{} failed: {how}", finished.label);
                let mut diagnostic = Diagnostic::error(Class::Action, message);
                let lines =
                    finished.stderr_tail.lines().chain(finished.faults.iter().map(String::as_str));
                let lines: Vec<&str> = lines.collect();
                for line in lines.iter().skip(lines.len().saturating_sub(10)) {
                    diagnostic = diagnostic.note(*line);
                }
                let diagnostic = finished.help.iter().cloned().fold(diagnostic, Diagnostic::help);
                self.diagnostics.push(diagnostic);
            }
            _ => {}
        }
    }
}
