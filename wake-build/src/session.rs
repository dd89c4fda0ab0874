//! One use of wake in one checkout: opened once, then asked to build, plan or explain.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wake_eval::{Limits, Pool, machine_memory};
use wake_model::nearest::nearest;
use wake_model::{PkgKey, PkgSource, RelPath, SandboxLevel};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::{Machine, MachineOptions};
use wake_store::ware::Route;
use wake_store::{ConfinedPath, Owners, Store};

use crate::config_text;
use crate::evaluate::{EvalCounts, Evaluator};
use crate::files::{FileMemory, Files};
use crate::gauge::FetchGauge;
use crate::instance::{Instances, instantiate};
use crate::links::OUT_DIR;
use crate::load::{LoadResult, Loaded, load, load_as_found};
use crate::locked::LockedPkgs;
use crate::options::{BuildOptions, ChosenOptions};
use crate::pkg_place::PkgPlace;
use crate::plan::{ModuleRequest, ModuleStep, PlannedBuild, Wish, plan};
use crate::purpose::{Purpose, TagSelection};
use crate::registries::{Mirrors, Reach, Registries};
use crate::resolve::{Resolution, resolve};
use crate::snapshot::Snapshot;
use crate::sources::DirSources;
use crate::target::{Target, TargetConfig, TargetPackages, TargetPattern, find};
use crate::test_past::TestPast;
use crate::workers::Workers;
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
    /// Whose checkouts and stores are believed.
    pub owners: Owners,
    /// How strictly commands are kept to what is declared.
    pub sandbox: SandboxLevel,
    /// What options of the build are set to.
    pub chosen: ChosenOptions,
    /// How other machines are reached.
    pub route: Route,
    /// Where the files of registries lie as well.
    pub mirrors: Mirrors,
    /// Where a person's own keys and settings lie.
    pub config: Option<PathBuf>,
    /// Whether registries may be asked.
    pub reach: Reach,
    /// What says how far the fetching of packages has come.
    pub gauge: Arc<FetchGauge>,
    /// Whether the lock may be written.
    pub lock_use: LockUse,
    /// What was typed, for the log.
    pub argv: Vec<String>,
    /// The program to start as a worker, and the arguments that make it evaluate or run commands.
    pub workers: Workers,
    /// Where the time goes, for those who want to know.
    pub profile: Profile,
}

/// Whether `wake.lock` may be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LockUse {
    /// Where a requirement is not met, versions are chosen.
    #[default]
    MayChange,
    /// It decides, and what it does not meet is an error: `--locked`.
    AsItIs,
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
    /// What options of the build are set to.
    pub(crate) chosen: ChosenOptions,
    pub(crate) registries: Registries,
    pub(crate) lock_use: LockUse,
    /// What a person chose, for workspaces that are opened besides.
    pub(crate) options: Options,
    /// What was typed, for the log.
    pub(crate) argv: Vec<String>,
    /// What is said of each build.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Session {
    /// Finds the workspace around the person and opens its store.
    pub fn open(options: Options) -> Result<Session, Failure> {
        let span = options.profile.stage("open");
        let chosen_options = options.clone();
        let workspace = Workspace::discover(&options.cwd, &options.owners)?;
        let (mut configured, mut warnings) = (None, Vec::new());
        if !options.store_is_explicit {
            match workspace.store() {
                Ok(store) => configured = store,
                Err(warning) => warnings.push(*warning),
            }
        }
        let store = configured.unwrap_or_else(|| options.store.clone());
        let Workers { program, evaluate, sandbox } = &options.workers;
        let evaluation = wake_eval::WorkerCommand {
            program: program.clone(),
            args: vec![OsString::from(evaluate)],
            readable: vec![workspace.root.clone(), store.clone()],
        };
        let worker =
            wake_exec::WorkerCommand { program: program.clone(), args: vec![sandbox.clone()] };
        // What a person says of mirrors counts more than what the workspace says.
        let mirrors = [options.route.mirrors.clone(), workspace.settings.mirrors.clone()].concat();
        let machine = Machine::open(MachineOptions {
            store,
            jobs: options.jobs.or(workspace.settings.jobs),
            owners: options.owners,
            sandbox: options.sandbox,
            worker,
            route: Route { mirrors, ..options.route.clone() },
            profile: options.profile.clone(),
        })?;
        drop(span);
        // Each thread has one evaluator at a time.
        let evaluators = machine.threads().current_num_threads();
        let limits = Limits::default().shared_by(evaluators, machine_memory());
        let (pool, argv) = (Pool::new(evaluation, limits), options.argv);
        let settings = workspace.settings.registries.clone();
        let registries = Registries::new(
            settings,
            options.mirrors,
            options.reach,
            &options.route,
            options.gauge,
        );
        let (chosen, lock_use) = (options.chosen, options.lock_use);
        Ok(Session {
            workspace,
            machine,
            pool,
            registries,
            lock_use,
            options: chosen_options,
            chosen,
            argv,
            warnings,
        })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.machine.store()
    }

    /// What was wrong with mirrors of registries so far: something else was asked instead.
    pub fn mirror_warnings(&self) -> Vec<Diagnostic> {
        self.registries.warnings()
    }

    /// Where logs and caches of this checkout lie.
    pub fn state_dir(&self) -> ConfinedPath {
        self.workspace.state_dir()
    }

    /// Whether versions may be chosen where the lock leaves a choice.
    pub(crate) fn may_choose(&self) -> bool {
        self.lock_use == LockUse::MayChange && self.registries.can_be_asked()
    }

    pub(crate) fn history_file(&self) -> ConfinedPath {
        self.state_dir().join("state/history")
    }

    pub(crate) fn files_file(&self) -> ConfinedPath {
        self.state_dir().join("state/files")
    }

    fn failed_tests_file(&self) -> ConfinedPath {
        self.state_dir().join("state/failed-tests")
    }

    /// The labels of the tests that failed when they ran last, as far as that is known.
    pub fn failed_tests(&self) -> BTreeSet<String> {
        /// Bytes; more is no such list.
        const LARGEST: u64 = 16 << 20;
        let bytes = self.failed_tests_file().read(LARGEST).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// Notes which tests failed when they ran last; where that cannot be written, nobody will know.
    pub fn note_failed_tests(&self, labels: &BTreeSet<String>) {
        let lines: String = labels.iter().flat_map(|label| [label.as_str(), "\n"]).collect();
        let _ = self.failed_tests_file().replace_by(&[lines.as_bytes()]);
    }

    fn test_past_file(&self) -> ConfinedPath {
        self.state_dir().join("state/tests")
    }

    /// How tests ended here when they ran.
    pub fn test_past(&self) -> TestPast {
        TestPast::read(&self.test_past_file())
    }

    /// Keeps how tests ended; where that cannot be written, nobody will know.
    pub fn keep_test_past(&self, past: &TestPast) {
        let _ = past.write(&self.test_past_file());
    }

    /// Where what a build puts aside lies.
    pub(crate) fn spare_dir(&self) -> ConfinedPath {
        self.state_dir().join("state")
    }

    /// Where result links lie, absolute.
    pub fn results_dir(&self) -> PathBuf {
        self.out_dir().path()
    }

    /// Where result links lie.
    pub(crate) fn out_dir(&self) -> ConfinedPath {
        self.workspace.dir.join(OUT_DIR)
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
        let files = Files::open(&self.workspace.root, Some(&self.files_file()), memory);
        Checkout {
            session: self,
            files: files.profiled(self.profile()).unless(|| self.registries.is_stopped()),
            locked: match self.lock_use {
                LockUse::MayChange => LockedPkgs::new(&self.registries),
                _ => LockedPkgs::new(&self.registries).unchanging(),
            },
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
    pub(crate) locked: LockedPkgs<'a>,
    pub(crate) history: History,
}

impl Checkout<'_> {
    pub(crate) fn evaluator(&self) -> Evaluator<'_> {
        let Session { pool, machine, .. } = self.session;
        let epoch = EPOCHS.fetch_add(1, Ordering::Relaxed);
        let (store, profile, tally) = (machine.store(), machine.profile(), EvalCounts::default());
        let spare = self.session.spare_dir();
        let options = BuildOptions::new(&self.session.chosen);
        Evaluator { pool, store, files: &self.files, spare, options, epoch, tally, profile }
    }

    /// Whether versions are to be chosen, or retrievers asked, before anything can be built.
    pub(crate) fn is_to_be_made_ready(&self) -> bool {
        let may_retrieve = match self.session.lock_use {
            LockUse::MayChange => true,
            // What is locked may be retrieved again.
            LockUse::AsItIs => !self.locked.is_unmet(),
        };
        self.session.may_choose() && self.locked.leaves_a_choice()
            || may_retrieve && self.locked.is_to_be_retrieved()
    }

    /// Loads, resolves, instantiates and plans what `patterns` name.
    pub(crate) fn plan(
        &self,
        evaluator: &Evaluator,
        patterns: &[TargetPattern],
        config: Option<&TargetConfig>,
        wish: Wish<'_>,
        keep_going: bool,
    ) -> Result<PlannedBuild, Failure> {
        self.session.machine.threads().install(|| {
            let profile = self.session.profile();
            let (TargetPackages { mut targets, walked }, mut result) =
                self.find_and_load(evaluator, patterns)?;
            let left_out = result.errors();
            if !left_out.is_empty() && self.is_to_be_made_ready() {
                return Err(Failure { diagnostics: left_out });
            }
            if !left_out.is_empty() {
                let is_whole =
                    |target: &Target| place_of(target).is_some_and(|place| result.is_whole(&place));
                targets.retain(is_whole);
                if !keep_going || targets.is_empty() {
                    return Err(Failure { diagnostics: left_out });
                }
                result = self.load(evaluator, &targets);
            }
            let places = self.places(&targets)?;
            let (by_place, mut instances) = self.instantiate(evaluator, result.loaded, &places)?;
            let _span = profile.stage("plan modules");
            let mut wanted = Vec::new();
            for target in &targets {
                let modules = modules_of(target, &by_place, &instances, config)?;
                match (&target.configured, target.is_searched()) {
                    (Some(text), true) => {
                        let past = || self.remembered(text, target, &modules);
                        wanted.push(match past() {
                            Some(request) => request,
                            None => searched(text, target, &modules, &instances, evaluator)?,
                        });
                    }
                    _ => wanted.extend(modules),
                }
            }
            let plan = plan(&instances, by_name_first(wanted), wish, evaluator)?;
            evaluator.check_options()?;
            instances.values_mut().for_each(|pkg| pkg.put_away());
            let root_reads = evaluator.options.reads().to_vec();
            Ok(PlannedBuild { instances, plan, left_out, walked, root_reads })
        })
    }

    /// Resolves and instantiates what was loaded for the packages at `places`.
    pub(crate) fn instantiate(
        &self,
        evaluator: &Evaluator,
        loaded: Loaded,
        places: &[PkgPlace],
    ) -> Result<(BTreeMap<PkgPlace, PkgKey>, Instances), Failure> {
        let profile = self.session.profile();
        let root = PkgPlace::Checkout(RelPath::root());
        let roots = match loaded.contains_key(&root) {
            true => &[root][..],
            false => places,
        };
        let span = profile.stage("resolve");
        evaluator.put_away();
        let Resolution { by_place, pkgs, order } = resolve(loaded, roots, evaluator)?;
        drop(span);
        let _span = profile.stage("instantiate");
        let instances = instantiate(&order, pkgs, evaluator)?;
        evaluator.put_away();
        Ok((by_place, instances))
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
        let (found, result) = load_as_found(workspace, evaluator, &self.locked, |heard| {
            let _span = profile.stage("find targets");
            let found = find(workspace, patterns, heard)?;
            let dirs = self.dirs_to_load(&found.targets)?;
            Ok::<_, Diagnostic>((found, dirs))
        })?;
        drop(span);
        let dirs = self.dirs_to_load(&found.targets)?;
        let result = self.with_globals(evaluator, dirs, result);
        Ok((found, result))
    }

    /// The configuration that was built here before and is called by `text`, also by the digits of its link.
    fn remembered(
        &self,
        text: &str,
        target: &Target,
        modules: &[ModuleRequest],
    ) -> Option<ModuleRequest> {
        let [asked] = modules else { return None };
        let label = module_label(target, &asked.module);
        let configured =
            |past: &str| past.strip_prefix(&*label)?.strip_prefix(' ').map(str::to_owned);
        let mut known = self.history.labels().filter_map(configured);
        let config = config_text::read(&known.find(|own| config_text::is_same(text, own))?)?;
        Some(ModuleRequest { config: Some(config), ..asked.clone() })
    }

    /// The packages that nobody had to get: those of the targets, and all of the workspace where one is in the store.
    fn places(&self, targets: &[Target]) -> Result<Vec<PkgPlace>, Diagnostic> {
        let dirs = match targets.iter().any(|target| target.stored.is_some()) {
            true => self.dirs_to_load(targets)?,
            false => dirs_of(targets),
        };
        Ok(dirs.into_iter().map(PkgPlace::Checkout).collect())
    }

    /// The directories of the targets' packages, and of those that stand in for published ones, so that what is wrong with
    /// these is told; of all packages where one of them has to be searched for.
    fn dirs_to_load(&self, targets: &[Target]) -> Result<Vec<RelPath>, Diagnostic> {
        let workspace = &self.session.workspace;
        match targets.iter().any(Target::is_anywhere) {
            true => workspace.locked_for(),
            false => {
                let mut dirs = dirs_of(targets);
                dirs.extend(workspace.settings.overrides.dirs().cloned());
                Ok(dirs)
            }
        }
    }

    /// Where the packages lie that `targets` name, each once, and these with all that they need.
    pub(crate) fn load_named(
        &self,
        evaluator: &Evaluator,
        targets: &[TargetPattern],
    ) -> Result<(Vec<RelPath>, Loaded), Failure> {
        let workspace = &self.session.workspace;
        let dirs = dirs_of(&find(workspace, targets, &mut |_| {})?.targets);
        let load = || load(workspace, evaluator, &self.locked, &dirs);
        let result = self.session.machine.threads().install(load);
        Ok((dirs, loaded_well(result)?))
    }

    /// The same, with the package that defines what they take from the global namespace.
    pub(crate) fn load_with_globals(
        &self,
        evaluator: &Evaluator,
        targets: &[TargetPattern],
    ) -> Result<(Vec<RelPath>, Loaded), Failure> {
        let targets = find(&self.session.workspace, targets, &mut |_| {})?.targets;
        let load = || self.load(evaluator, &targets);
        let result = self.session.machine.threads().install(load);
        Ok((dirs_of(&targets), loaded_well(result)?))
    }

    /// Loads the targets' packages.
    fn load(&self, evaluator: &Evaluator, targets: &[Target]) -> LoadResult {
        let _span = self.session.profile().stage("load");
        let dirs = dirs_of(targets);
        let result = load(&self.session.workspace, evaluator, &self.locked, &dirs);
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
        let is_loaded = result.loaded.contains_key(&PkgPlace::Checkout(root.clone()));
        if !open || is_loaded || !workspace.is_pkg(&root) {
            return result;
        }
        dirs.push(root);
        load(workspace, evaluator, &self.locked, &dirs)
    }
}

fn loaded_well(mut result: LoadResult) -> Result<Loaded, Failure> {
    let errors = result.errors();
    match errors.is_empty() {
        true => Ok(result.loaded),
        false => Err(Failure { diagnostics: errors }),
    }
}

/// The same modules, each once: where a target means one by its name, that counts.
fn by_name_first(mut wanted: Vec<ModuleRequest>) -> Vec<ModuleRequest> {
    let by_name = wanted.iter().filter(|module| !module.is_one_of_all);
    let by_name: HashSet<Arc<str>> = by_name.map(ModuleRequest::identity).collect();
    if !by_name.is_empty() {
        wanted.retain(|module| !module.is_one_of_all || !by_name.contains(&module.identity()));
    }
    wanted
}

/// Where the package of a target lies, if that is in the checkout.
fn place_of(target: &Target) -> Option<PkgPlace> {
    target.stored.is_none().then(|| PkgPlace::Checkout(target.pkg.clone()))
}

fn module_label(target: &Target, module: &str) -> String {
    format!("{}:{module}", target.pkg_label())
}

/// The directories of the targets' packages, each once.
fn dirs_of(targets: &[Target]) -> Vec<RelPath> {
    let mut seen = BTreeSet::new();
    let new = targets.iter().map(|target| &target.pkg).filter(|dir| seen.insert(*dir));
    new.cloned().collect()
}

fn modules_of(
    target: &Target,
    by_place: &BTreeMap<PkgPlace, PkgKey>,
    instances: &Instances,
    config: Option<&TargetConfig>,
) -> Result<Vec<ModuleRequest>, Diagnostic> {
    let pkg = match (&target.stored, place_of(target)) {
        (Some(key), _) => Some(instances.get(key).ok_or_else(|| not_needed(key, instances))?),
        (None, place) => place.and_then(|place| instances.get(by_place.get(&place)?)),
    };
    let pkg = match &target.dependency {
        Some(key) => pkg.and_then(|pkg| instances.get(pkg.dep(key)?)),
        None => pkg,
    };
    let Some(pkg) = pkg else { return Ok(Vec::new()) };
    let config = match &target.configured {
        Some(_) if config.is_some() => {
            let message = "a target that names its configuration takes no `--config`";
            return Err(Diagnostic::error(Class::Usage, message));
        }
        Some(text) => config_text::read(text).map(TargetConfig::Whole),
        None => config.cloned(),
    };
    let merge = matches!(config, Some(TargetConfig::Keys(_)));
    let config = config.map(TargetConfig::into_value);
    let wanted = |module: &String| ModuleRequest {
        pkg: pkg.key.clone(),
        module: module.clone(),
        config: config.clone(),
        merge,
        is_one_of_all: target.module.is_none(),
    };
    match &target.module {
        Some(module) => Ok(vec![wanted(module)]),
        // What belongs to a module is built with it.
        None => Ok(pkg.modules.keys().filter(|name| !name.contains('.')).map(wanted).collect()),
    }
}

/// A package in the store that nothing leads to.
fn not_needed(key: &PkgKey, instances: &Instances) -> Diagnostic {
    let label = key.label();
    let message = format!("no package of the workspace needs `{label}`");
    let stored: Vec<String> = instances
        .values()
        .filter(|pkg| pkg.place.dir().is_none())
        .map(|pkg| pkg.place.label())
        .collect();
    let diagnostic = Diagnostic::error(Class::Usage, message);
    match nearest(&label, stored.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`wake tree` shows which packages are needed"),
    }
}

/// The configuration of one of `modules` that a person means by `text`, where a module of the workspace leads to it.
fn searched(
    text: &str,
    target: &Target,
    modules: &[ModuleRequest],
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<ModuleRequest, Failure> {
    let all = instances.values().flat_map(|pkg| {
        pkg.modules.keys().map(|module| ModuleRequest {
            pkg: pkg.key.clone(),
            module: module.clone(),
            config: None,
            merge: false,
            is_one_of_all: true,
        })
    });
    let (purpose, tags) = (&Purpose::Everything, &TagSelection::default());
    let planned = plan(instances, all.collect(), Wish { purpose, tags }, evaluator)?;
    let of_module = |step: &ModuleStep| modules.iter().any(|asked| step.is_of(asked));
    let mut steps = planned.graph.node_weights().filter(|step| of_module(step));
    if let Some(step) = steps.find(|step| step.is_configured(text)) {
        return Ok(step.request());
    }
    let label = module_label(target, target.module.as_deref().unwrap_or_default());
    let asked = format!("{label} {text}");
    let message = format!("no module of the workspace needs `{asked}`");
    let known = planned.graph.node_weights().filter(|step| of_module(step));
    let near = nearest(&asked, known.map(|step| step.label.as_str()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`wake graph //...` shows every module with its configurations".to_owned(),
    };
    Err(Diagnostic::error(Class::Usage, message).help(help).into())
}
