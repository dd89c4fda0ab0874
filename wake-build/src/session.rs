//! One use of wake in one checkout: opened once, then asked to build, plan or explain.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use serde_json::Value;
use wake_eval::{Limits, Pool};
use wake_exec::{CancelToken, Executor, ExecutorOptions, HostIdentity, Scheduling};
use wake_model::{HostDigest, PkgSource, RelPath, SandboxLevel};
use wake_store::ware::Route;
use wake_store::{OpenError, Store};

use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::evaluate::{Evaluator, Tally};
use crate::execute::store_failure;
use crate::files::Files;
use crate::history::History;
use crate::instance::{Instances, instantiate};
use crate::load::{LoadResult, load, load_as_found};
use crate::pin::{Done, Pinner};
use crate::plan::{Plan, Wanted, plan};
use crate::profile::Profile;
use crate::resolve::{Resolved, resolve};
use crate::snapshot::Snapshot;
use crate::sources::DirSources;
use crate::target::{Found, Target, find};
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
    /// The argument after which it calls [`sandbox_worker`].
    pub sandbox: String,
}

/// The whole life of a process that evaluates for another.
pub fn evaluation_worker() -> ExitCode {
    wake_eval::serve(|root| Box::new(DirSources::new(root)))
}

/// The whole life of a process that runs commands for another.
pub fn sandbox_worker() -> ExitCode {
    wake_exec::serve()
}

/// A checkout with what is needed to build in it.
pub struct Session {
    /// The checkout.
    pub workspace: Workspace,
    pub(crate) store: Store,
    pub(crate) pool: Pool,
    pub(crate) executor: Executor,
    pub(crate) threads: rayon::ThreadPool,
    pub(crate) options: Options,
    pub(crate) jobs: usize,
    host: OnceLock<HostDigest>,
}

impl Session {
    /// Finds the workspace around the person and opens its store.
    pub fn open(options: Options) -> Result<Session, Failure> {
        let span = options.profile.stage("open");
        let workspace = Workspace::discover(&options.cwd)?;
        let configured = workspace.settings.store.clone().filter(|_| !options.store_is_explicit);
        let store = open_store(&configured.unwrap_or_else(|| options.store.clone()))?;
        let store = store.reaching_by(options.route.clone());
        let processors = || std::thread::available_parallelism().map_or(1, Into::into);
        let jobs = options.jobs.or(workspace.settings.jobs).unwrap_or_else(processors);
        // Evaluators are started by these threads, and are treated like them.
        let scheduling = Scheduling::of_thread().map(|own| own.as_batch());
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .start_handler(move |_| scheduling.iter().for_each(Scheduling::apply))
            .thread_name(|index| format!("wake-{index}"))
            .build()
            .map_err(|e| {
                Diagnostic::error(Class::Environment, format!("cannot start threads: {e}"))
            })?;
        let Workers { program, evaluate, sandbox } = &options.workers;
        let evaluation = wake_eval::WorkerCommand {
            program: program.clone(),
            args: vec![OsString::from(evaluate)],
        };
        let running =
            wake_exec::WorkerCommand { program: program.clone(), args: vec![sandbox.clone()] };
        drop(span);
        Ok(Session {
            pool: Pool::new(evaluation, Limits::default()),
            executor: Executor::new(running, ExecutorOptions::default()),
            workspace,
            store,
            threads,
            jobs,
            options,
            host: OnceLock::new(),
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How strictly commands are kept to what is declared.
    pub(crate) fn sandbox(&self) -> SandboxLevel {
        self.options.sandbox
    }

    /// The sandbox, for those who want to know what it can do.
    pub fn executor(&self) -> &Executor {
        &self.executor
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
        &self.options.profile
    }

    /// The checkout as it is now; `snapshot` says what is known of its files.
    pub(crate) fn look<'a>(&'a self, snapshot: Option<&'a Snapshot>) -> Checkout<'a> {
        let _span = self.profile().stage("read state");
        let files = Files::open(&self.workspace.root, &self.files_file(), snapshot);
        Checkout {
            session: self,
            files: files.profiled(self.profile()),
            history: History::read(&self.history_file())
                .or_else(|| snapshot.map(History::of))
                .unwrap_or_default(),
        }
    }

    /// The identity of this machine, if something has asked for it.
    pub(crate) fn known_host(&self) -> Option<HostDigest> {
        self.host.get().copied()
    }

    pub(crate) fn host(&self) -> Result<HostDigest, Diagnostic> {
        if let Some(host) = self.host.get() {
            return Ok(*host);
        }
        let identity = HostIdentity::read()
            .map_err(|e| Diagnostic::error(Class::Environment, e.to_string()))?;
        Ok(*self.host.get_or_init(|| identity.digest))
    }
}

/// Opens the store at `path`, telling a person what stands in the way.
pub fn open_store(path: &Path) -> Result<Store, Diagnostic> {
    Store::open(path).map_err(|error| {
        let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
        match &error {
            OpenError::NewerFormat { .. } => {
                diagnostic.help("use that newer wake, or another store: `--store DIR`")
            }
            OpenError::UnknownFormat { .. }
            | OpenError::NotAStore { .. }
            | OpenError::NotADirectory { .. } => {
                diagnostic.help("name another directory: `--store DIR`")
            }
            OpenError::NotWritable { .. } => diagnostic
                .help("make it writable for you, or name another: `--store DIR` or `WAKE_STORE`"),
            OpenError::Store(error) => store_failure(error),
        }
    })
}

/// The evaluators that there have been.
static EPOCHS: AtomicU64 = AtomicU64::new(0);

/// A session with the state of its checkout.
pub(crate) struct Checkout<'a> {
    pub(crate) session: &'a Session,
    pub(crate) files: Files<'a>,
    pub(crate) history: History,
}

/// Everything up to a plan.
pub(crate) struct Planned {
    pub(crate) instances: Instances,
    pub(crate) plan: Plan,
    /// Errors of targets that were left out because others may go on without them.
    pub(crate) left_out: Vec<Diagnostic>,
    /// The directories that were walked to find the targets.
    pub(crate) walked: Vec<RelPath>,
}

impl Checkout<'_> {
    pub(crate) fn evaluator(&self) -> Evaluator<'_> {
        let Session { pool, store, options, .. } = self.session;
        let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
        let tally = Tally::default();
        Evaluator { pool, store, files: &self.files, epoch, tally, profile: &options.profile }
    }

    /// Loads, resolves, instantiates and plans what `texts` name.
    pub(crate) fn plan(
        &self,
        evaluator: &Evaluator,
        texts: &[String],
        config: Option<&Value>,
        keep_going: bool,
    ) -> Result<Planned, Failure> {
        self.session.threads.install(|| self.plan_here(evaluator, texts, config, keep_going))
    }

    fn plan_here(
        &self,
        evaluator: &Evaluator,
        texts: &[String],
        config: Option<&Value>,
        keep_going: bool,
    ) -> Result<Planned, Failure> {
        let profile = self.session.profile();
        let (Found { mut targets, walked }, mut result) = self.find_and_load(evaluator, texts)?;
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
        let Resolved { by_dir, pkgs, order } = resolved;
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
        Ok(Planned { instances, plan, left_out, walked })
    }

    /// Finds the targets and loads their packages meanwhile.
    fn find_and_load(
        &self,
        evaluator: &Evaluator,
        texts: &[String],
    ) -> Result<(Found, LoadResult), Diagnostic> {
        let profile = self.session.profile();
        let workspace = &self.session.workspace;
        let span = profile.stage("load");
        let (found, result) = load_as_found(workspace, evaluator, |heard| {
            let _span = profile.stage("find targets");
            let found = find(workspace, texts, heard)?;
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
) -> Result<Vec<Wanted>, Diagnostic> {
    let Some(pkg) = by_dir.get(&target.pkg).and_then(|key| instances.get(key)) else {
        return Ok(Vec::new());
    };
    let wanted = |module: &String| Wanted {
        pkg: pkg.key.clone(),
        module: module.clone(),
        config: config.cloned(),
    };
    match &target.module {
        Some(module) => Ok(vec![wanted(module)]),
        None => Ok(pkg.modules.keys().map(wanted).collect()),
    }
}

/// What a pinner needs beside the plan, made once for a plan.
pub(crate) struct Pins {
    pub(crate) done: Vec<OnceLock<Done>>,
}

impl Pins {
    pub(crate) fn for_plan(plan: &Plan) -> Pins {
        Pins { done: (0..plan.graph.node_count()).map(|_| OnceLock::new()).collect() }
    }

    pub(crate) fn pinner<'a>(
        &'a self,
        planned: &'a Planned,
        evaluator: &'a Evaluator<'a>,
        session: &'a Session,
        host: &'a (dyn Fn() -> Result<HostDigest, Diagnostic> + Sync),
    ) -> Pinner<'a> {
        Pinner {
            plan: &planned.plan,
            instances: &planned.instances,
            evaluator,
            store: &session.store,
            done: &self.done,
            host,
            sandbox: session.options.sandbox,
            pkg_trees: Mutex::default(),
            roots: Mutex::default(),
        }
    }
}

/// The time since `started`, in milliseconds.
pub(crate) fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Cancels builds from another thread or a signal handler.
pub type Cancel = CancelToken;
