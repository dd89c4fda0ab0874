//! One use of wake in one checkout: opened once, then asked to build, plan or explain.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use wake_eval::{Limits, Pool};
use wake_model::{PkgSource, RelPath, SandboxLevel};
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::{Machine, MachineOptions};
use wake_store::Store;
use wake_store::ware::Route;

use crate::evaluate::{EvalCounts, Evaluator};
use crate::files::{FileMemory, Files};
use crate::instance::{Instances, instantiate};
use crate::load::{LoadResult, load, load_as_found};
use crate::plan::{ModuleRequest, PlannedBuild, plan};
use crate::resolve::{Resolution, resolve};
use crate::snapshot::Snapshot;
use crate::sources::DirSources;
use crate::target::{Target, TargetPackages, TargetPattern, find};
use crate::workspace::Workspace;

/// What a person chose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the person stands.
    pub cwd: PathBuf,
    /// Where the store is; `wake.toml` may say otherwise.
    pub store: PathBuf,
    /// Whether the store was named explicitly, so that `wake.toml` does not count.
    pub store_is_explicit: bool,
    /// How many commands run at once; none: what `wake.toml` says, else one for each processor.
    pub jobs: Option<usize>,
    /// How strictly commands are kept to what is declared.
    pub sandbox: SandboxLevel,
    /// How other machines are reached.
    pub route: Route,
    /// What was typed, for the log.
    pub argv: Vec<String>,
    /// The program to start as a worker, and the arguments that make it evaluate or run commands.
    pub workers: Workers,
    /// Where the time goes, for those who want to know.
    pub profile: Profile,
}

/// How worker processes are started.
#[derive(Clone, Debug)]
pub struct Workers {
    /// The program, usually the running one itself.
    pub program: PathBuf,
    /// The argument after which it calls [`evaluation_worker`].
    pub evaluate: String,
    /// The argument after which it calls [`wake_exec::serve`].
    pub sandbox: String,
}

/// The whole life of a process that evaluates for another.
pub fn evaluation_worker() -> ExitCode {
    wake_eval::serve(|root| Box::new(DirSources::new(root)))
}

/// A checkout with what is needed to build in it.
pub struct Session {
    /// The checkout.
    pub workspace: Workspace,
    pub(crate) machine: Machine,
    pub(crate) pool: Pool,
    /// What was typed, for the log.
    pub(crate) argv: Vec<String>,
}

impl Session {
    /// Finds the workspace around the person and opens its store.
    pub fn open(options: Options) -> Result<Session, Failure> {
        let span = options.profile.stage("open");
        let workspace = Workspace::discover(&options.cwd)?;
        let configured = workspace.settings.store.clone().filter(|_| !options.store_is_explicit);
        let Workers { program, evaluate, sandbox } = &options.workers;
        let evaluation = wake_eval::WorkerCommand {
            program: program.clone(),
            args: vec![OsString::from(evaluate)],
        };
        let worker =
            wake_exec::WorkerCommand { program: program.clone(), args: vec![sandbox.clone()] };
        let machine = Machine::open(MachineOptions {
            store: configured.unwrap_or_else(|| options.store.clone()),
            jobs: options.jobs.or(workspace.settings.jobs),
            sandbox: options.sandbox,
            worker,
            route: options.route.clone(),
            profile: options.profile.clone(),
        })?;
        drop(span);
        let (pool, argv) = (Pool::new(evaluation, Limits::default()), options.argv);
        Ok(Session { workspace, machine, pool, argv })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.machine.store()
    }

    /// Where logs and caches of this checkout lie.
    pub fn state_dir(&self) -> PathBuf {
        self.workspace.state_dir()
    }

    pub(crate) fn history_file(&self) -> PathBuf {
        self.state_dir().join("state/history")
    }

    pub(crate) fn files_file(&self) -> PathBuf {
        self.state_dir().join("state/files")
    }

    /// Where the time goes.
    pub(crate) fn profile(&self) -> &Profile {
        self.machine.profile()
    }

    /// The checkout as it is now; `snapshot` says what is known of its files.
    pub(crate) fn look<'a>(&'a self, snapshot: Option<&'a Snapshot>) -> Checkout<'a> {
        let _span = self.profile().stage("read state");
        let is_proof =
            |snapshot: &&Snapshot| snapshot.meta().is_some_and(|meta| meta.is_of_this_boot());
        let memory = snapshot.filter(is_proof).map(|snapshot| snapshot as &dyn FileMemory);
        let files = Files::open(&self.workspace.root, &self.files_file(), memory);
        Checkout {
            session: self,
            files: files.profiled(self.profile()),
            history: History::read(&self.history_file())
                .or_else(|| snapshot.map(Snapshot::history))
                .unwrap_or_default(),
        }
    }
}

/// The evaluators that there have been.
static EPOCHS: AtomicU64 = AtomicU64::new(0);

/// A session with the state of its checkout.
pub(crate) struct Checkout<'a> {
    pub(crate) session: &'a Session,
    pub(crate) files: Files<'a>,
    pub(crate) history: History,
}

impl Checkout<'_> {
    pub(crate) fn evaluator(&self) -> Evaluator<'_> {
        let Session { pool, machine, .. } = self.session;
        let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
        let (store, profile, tally) = (machine.store(), machine.profile(), EvalCounts::default());
        Evaluator { pool, store, files: &self.files, epoch, tally, profile }
    }

    /// Loads, resolves, instantiates and plans what `patterns` name.
    pub(crate) fn plan(
        &self,
        evaluator: &Evaluator,
        patterns: &[TargetPattern],
        config: Option<&Value>,
        keep_going: bool,
    ) -> Result<PlannedBuild, Failure> {
        self.session.machine.threads().install(|| {
            let profile = self.session.profile();
            let (TargetPackages { mut targets, walked }, mut result) =
                self.find_and_load(evaluator, patterns)?;
            let left_out = result.errors();
            if !left_out.is_empty() {
                targets.retain(|target| result.is_whole(&target.pkg));
                if !keep_going || targets.is_empty() {
                    return Err(Failure { diagnostics: left_out });
                }
                result = self.load(evaluator, &targets);
            }
            let root = RelPath::root();
            let roots: Vec<RelPath> = match result.loaded.contains_key(&root) {
                true => vec![root],
                false => targets.iter().map(|target| target.pkg.clone()).collect(),
            };
            let span = profile.stage("resolve");
            evaluator.put_away();
            let resolved = resolve(result.loaded, &roots, evaluator)?;
            drop(span);
            let span = profile.stage("instantiate");
            let Resolution { by_dir, pkgs, order } = resolved;
            let mut instances = instantiate(&order, pkgs, evaluator)?;
            drop(order);
            evaluator.put_away();
            drop(span);
            let _span = profile.stage("plan modules");
            let mut wanted = Vec::new();
            for target in &targets {
                wanted.extend(modules_of(target, &by_dir, &instances, config)?);
            }
            let plan = plan(&instances, wanted, evaluator)?;
            instances.values_mut().for_each(|pkg| pkg.put_away());
            Ok(PlannedBuild { instances, plan, left_out, walked })
        })
    }

    /// Finds the targets and loads their packages meanwhile.
    fn find_and_load(
        &self,
        evaluator: &Evaluator,
        patterns: &[TargetPattern],
    ) -> Result<(TargetPackages, LoadResult), Diagnostic> {
        let profile = self.session.profile();
        let workspace = &self.session.workspace;
        let span = profile.stage("load");
        let (found, result) = load_as_found(workspace, evaluator, |heard| {
            let _span = profile.stage("find targets");
            let found = find(workspace, patterns, heard)?;
            let dirs = dirs_of(&found.targets);
            Ok::<_, Diagnostic>((found, dirs))
        })?;
        drop(span);
        let result = self.with_globals(evaluator, dirs_of(&found.targets), result);
        Ok((found, result))
    }

    /// Loads the targets' packages.
    fn load(&self, evaluator: &Evaluator, targets: &[Target]) -> LoadResult {
        let _span = self.session.profile().stage("load");
        let dirs = dirs_of(targets);
        let result = load(&self.session.workspace, evaluator, &dirs);
        self.with_globals(evaluator, dirs, result)
    }

    /// Loads the root package too if one of those at `dirs` takes something from the global namespace, which is the
    /// root package's to define.
    fn with_globals(
        &self,
        evaluator: &Evaluator,
        mut dirs: Vec<RelPath>,
        result: LoadResult,
    ) -> LoadResult {
        let workspace = &self.session.workspace;
        let takes_global = |get: &wake_model::GetPkg| get.from == PkgSource::Global;
        let open = result.loaded.values().any(|pkg| pkg.decl.pkgs.values().any(takes_global));
        let root = RelPath::root();
        if !open || result.loaded.contains_key(&root) || !workspace.is_pkg(&root) {
            return result;
        }
        dirs.push(root);
        load(workspace, evaluator, &dirs)
    }
}

/// The directories of the targets' packages, each once.
fn dirs_of(targets: &[Target]) -> Vec<RelPath> {
    let mut dirs: Vec<RelPath> = targets.iter().map(|target| target.pkg.clone()).collect();
    dirs.dedup();
    dirs
}

fn modules_of(
    target: &Target,
    by_dir: &BTreeMap<RelPath, wake_model::PkgKey>,
    instances: &Instances,
    config: Option<&Value>,
) -> Result<Vec<ModuleRequest>, Diagnostic> {
    let Some(pkg) = by_dir.get(&target.pkg).and_then(|key| instances.get(key)) else {
        return Ok(Vec::new());
    };
    let wanted = |module: &String| ModuleRequest {
        pkg: pkg.key.clone(),
        module: module.clone(),
        config: config.cloned(),
    };
    match &target.module {
        Some(module) => Ok(vec![wanted(module)]),
        None => Ok(pkg.modules.keys().map(wanted).collect()),
    }
}
