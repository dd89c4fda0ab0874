//! A session: one use of wake in a checkout, to build, plan or explain.
//!
//! | file | does |
//! |---|---|
//! | `options` | what the command line and the environment decide |
//! | `modules` | the modules that targets name |
//! | `checkout` | the state of the checkout, and loading, resolving and planning from it |

mod options;
mod modules;
mod checkout;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use wake_eval::{Limits, Pool, machine_memory};
use wake_steps::diagnostic::{Diagnostic, Failure};
use wake_steps::history::History;
use wake_steps::profile::Profile;
use wake_steps::{Machine, MachineOptions};
use wake_store::ware::Route;
use wake_store::{ConfinedPath, Store};

pub(crate) use self::checkout::Checkout;
pub use self::options::{LockUse, Options};
use crate::files::{FileMemory, Files};
use crate::links::OUT_DIR;
use crate::locked::LockedPkgs;
use crate::options::ChosenOptions;
use crate::registries::Registries;
use crate::snapshot::Snapshot;
use crate::sources::DirSources;
use crate::test_past::TestPast;
use crate::workers::Workers;
use crate::workspace::Workspace;

/// Runs an evaluator process until its parent ends it.
pub fn evaluation_worker() -> ExitCode {
    wake_eval::serve(|root| Box::new(DirSources::new(root)))
}

/// A checkout, with everything needed to build in it.
pub struct Session {
    /// The checkout.
    pub workspace: Workspace,
    pub(crate) machine: Machine,
    pub(crate) pool: Pool,
    /// The options of the build.
    pub(crate) chosen: ChosenOptions,
    pub(crate) registries: Registries,
    pub(crate) lock_use: LockUse,
    /// The options of the session, for opening further workspaces.
    pub(crate) options: Options,
    /// The command line, for the log.
    pub(crate) argv: Vec<String>,
    /// Warnings for each build.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Session {
    /// Finds the workspace around the current directory and opens its store.
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
        // The user's mirrors take precedence over those of the workspace.
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
        // Each thread uses one evaluator at a time.
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

    /// Returns warnings about faulty mirrors of registries, which were skipped.
    pub fn mirror_warnings(&self) -> Vec<Diagnostic> {
        self.registries.warnings()
    }

    /// Returns the directory of this checkout's logs and caches.
    pub fn state_dir(&self) -> ConfinedPath {
        self.workspace.state_dir()
    }

    /// Returns whether versions may be chosen if the lock leaves a choice.
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

    /// Returns the labels of the tests that failed when they last ran, as far as known.
    pub fn failed_tests(&self) -> BTreeSet<String> {
        /// The largest size in bytes; a longer file was not written by wake.
        const LARGEST: u64 = 16 << 20;
        let bytes = self.failed_tests_file().read(LARGEST).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// Records which tests failed when they last ran; a write error is ignored.
    pub fn note_failed_tests(&self, labels: &BTreeSet<String>) {
        let lines: String = labels.iter().flat_map(|label| [label.as_str(), "\n"]).collect();
        let _ = self.failed_tests_file().replace_by(&[lines.as_bytes()]);
    }

    fn test_past_file(&self) -> ConfinedPath {
        self.state_dir().join("state/tests")
    }

    /// Returns the past results of tests.
    pub fn test_past(&self) -> TestPast {
        TestPast::read(&self.test_past_file())
    }

    /// Records the past results of tests; a write error is ignored.
    pub fn keep_test_past(&self, past: &TestPast) {
        let _ = past.write(&self.test_past_file());
    }

    /// Returns the directory for spooled data.
    pub(crate) fn spare_dir(&self) -> ConfinedPath {
        self.state_dir().join("state")
    }

    /// Returns the directory of result links, absolute.
    pub fn results_dir(&self) -> PathBuf {
        self.out_dir().path()
    }

    /// Returns the directory of result links.
    pub(crate) fn out_dir(&self) -> ConfinedPath {
        self.workspace.dir.join(OUT_DIR)
    }

    /// Records where the time goes.
    pub(crate) fn profile(&self) -> &Profile {
        self.machine.profile()
    }

    /// Returns the present state of the checkout; `snapshot` tells what is known of its files.
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
