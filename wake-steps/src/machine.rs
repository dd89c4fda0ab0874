//! A machine: a store, an engine and threads. It needs no workspace.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use wake_exec::{Executor, HostIdentity, Scheduling, WorkerCommand};
use wake_model::{HostDigest, SandboxLevel};
use wake_store::ware::Route;
use wake_store::{OpenError, Owners, SAFE_DIRECTORY, Store};

use crate::diagnostic::{Class, Diagnostic};
use crate::engine::Engine;
use crate::error::store_failure;
use crate::here::Here;
use crate::hosts;
use crate::profile::Profile;

/// The most commands that run at once, whatever is asked for.
pub const MOST_JOBS: u16 = 4096;

/// How to set up a machine.
#[derive(Clone, Debug)]
pub struct MachineOptions {
    /// The directory of its store.
    pub store: PathBuf,
    /// How many commands run at once; none: one for each processor.
    pub jobs: Option<usize>,
    /// Which owners of a store are trusted.
    pub owners: Owners,
    /// The sandbox level.
    pub sandbox: SandboxLevel,
    /// How to start a process that runs commands.
    pub worker: WorkerCommand,
    /// How to reach other machines.
    pub route: Route,
    /// Records where the time goes.
    pub profile: Profile,
}

/// A store, an engine, threads.
pub struct Machine {
    store: Arc<Store>,
    engine: Box<dyn Engine>,
    threads: rayon::ThreadPool,
    jobs: usize,
    sandbox: SandboxLevel,
    profile: Profile,
    host: OnceLock<HostIdentity>,
}

impl Machine {
    /// Opens this machine with its own sandbox.
    pub fn open(options: MachineOptions) -> Result<Machine, Diagnostic> {
        let MachineOptions { store, jobs, owners, sandbox, worker, route, profile } = options;
        let store = Arc::new(open_store(&store, &owners)?.reaching_by(route));
        let executor = Executor::new(worker);
        let engine = Here::new(store.clone(), executor);
        Machine::with_engine(store, Box::new(engine), jobs, sandbox, profile)
    }

    /// Opens this machine with `engine` performing the actions.
    pub fn with_engine(
        store: Arc<Store>,
        engine: Box<dyn Engine>,
        jobs: Option<usize>,
        sandbox: SandboxLevel,
        profile: Profile,
    ) -> Result<Machine, Diagnostic> {
        let processors = || std::thread::available_parallelism().map_or(1, Into::into);
        let jobs = jobs.unwrap_or_else(processors);
        // Processes started by these threads inherit their scheduling.
        let scheduling = Scheduling::of_thread().map(|own| own.as_batch());
        // Each thread has an evaluator, and these share half of the memory.
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs.min(processors()))
            .start_handler(move |_| scheduling.iter().for_each(Scheduling::apply))
            .thread_name(|index| format!("wake-{index}"))
            .build();
        let threads = threads.map_err(|error| {
            Diagnostic::error(Class::Environment, format!("cannot start threads: {error}"))
        })?;
        let host = OnceLock::new();
        Ok(Machine { store, engine, threads, jobs, sandbox, profile, host })
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The engine that performs actions.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Threads for work other than commands.
    pub fn threads(&self) -> &rayon::ThreadPool {
        &self.threads
    }

    /// How many commands run at once.
    pub fn jobs(&self) -> usize {
        self.jobs
    }

    /// The sandbox level.
    pub fn sandbox(&self) -> SandboxLevel {
        self.sandbox
    }

    /// Records where the time goes.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The identity of this machine, if it has been read.
    pub fn known_host(&self) -> Option<&HostIdentity> {
        self.host.get()
    }

    /// Sets the identity of this machine, for a caller that knows it without reading it.
    pub fn assume_host(&self, host: HostIdentity) {
        // An identity that has been read meanwhile wins.
        let _ = self.host.set(host);
    }

    /// Returns the identity of this machine, reading it if necessary.
    pub fn host(&self) -> Result<HostDigest, Diagnostic> {
        if let Some(host) = self.host.get() {
            return Ok(host.digest);
        }
        let (identity, contents) = HostIdentity::read_with_contents()
            .map_err(|e| Diagnostic::error(Class::Environment, e.to_string()))?;
        hosts::keep(&self.store, &identity.digest, &contents);
        Ok(self.host.get_or_init(|| identity).digest)
    }
}

/// Opens the store at `path`, or returns a diagnostic that says how to get one.
pub fn open_store(path: &Path, owners: &Owners) -> Result<Store, Diagnostic> {
    Store::open_of(path, owners).map_err(|error| {
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
            OpenError::Remains { path } => {
                let dir = path.display();
                diagnostic
                    .help(format!("remove what is left of it: `chmod -R u+w {dir} && rm -r {dir}`"))
            }
            OpenError::NotWritable { .. } => diagnostic
                .help("make it writable, or use another one: `--store DIR` or `WAKE_STORE`"),
            OpenError::OfStranger { path, .. } | OpenError::OpenToOthers { path } => {
                let way = format!("or, if you trust it, set `{SAFE_DIRECTORY}={}`", path.display());
                diagnostic.help("use a store of your own: `--store DIR` or `WAKE_STORE`").help(way)
            }
            OpenError::Store(error) => store_failure(error),
        }
    })
}
