//! Opening sessions: the only access to the build.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wake_build::{
    BuildReport, BuildRequest, BuiltModule, EvalResult, Explained, Expression, Options, Session,
    Workers,
};
use wake_exec::{Executor, Finding, WorkerCommand};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::Reporter;
use wake_steps::profile::Profile;
use wake_steps::{Cancel, Machine, MachineOptions, open_store};
use wake_store::Store;

use crate::environment;
use crate::report;
use crate::report::profile::ProfileFile;
use crate::report::witness::Witness;
use crate::settings::Settings;
use crate::signals;

/// The argument that makes this program an evaluation worker.
pub(crate) const EVALUATION_WORKER: &str = "__eval";
/// The argument that makes this program a sandbox worker.
pub(crate) const SANDBOX_WORKER: &str = "__sandbox";

/// Evaluates an expression in the package around it, or without a package if there is none.
pub(crate) fn eval(settings: &Settings, expression: &Expression) -> Result<EvalResult, Failure> {
    match wake_build::Workspace::discover(&expression.dir, &settings.owners) {
        Ok(_) => {
            let mut settings = settings.clone();
            settings.cwd.clone_from(&expression.dir);
            open(&settings)?.eval(expression)
        }
        // An unusable package is not the same as no package.
        Err(error) if error.class != Class::Usage => Err(error.into()),
        Err(_) => expression.evaluate(&workers()?).map_err(|failure| seen_from(settings, failure)),
    }
}

/// Evaluates an expression outside any package.
pub(crate) fn eval_alone(
    settings: &Settings,
    expression: &Expression,
) -> Result<EvalResult, Failure> {
    expression.evaluate(&workers()?).map_err(|failure| seen_from(settings, failure))
}

/// Makes the places of a failure relative to the current directory, if they are below it.
fn seen_from(settings: &Settings, mut failure: Failure) -> Failure {
    for place in failure.diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.place.as_mut()) {
        let below = Path::new(&place.file).strip_prefix(&settings.cwd).ok().and_then(Path::to_str);
        if let Some(below) = below {
            place.file = below.to_owned();
        }
    }
    failure
}

/// Opens the workspace around the current directory.
pub(crate) fn open(settings: &Settings) -> Result<Session, Failure> {
    open_profiled(settings, Profile::default())
}

fn open_profiled(settings: &Settings, profile: Profile) -> Result<Session, Failure> {
    let (store, store_is_explicit) = settings.store()?;
    Session::open(Options {
        cwd: settings.cwd.clone(),
        store,
        store_is_explicit,
        jobs: settings.jobs,
        owners: settings.owners.clone(),
        sandbox: settings.sandbox,
        chosen: settings.chosen.clone(),
        route: settings.route.clone(),
        mirrors: settings.mirrors.clone(),
        gauge: settings.gauge.clone(),
        config: settings.config.clone(),
        reach: settings.reach,
        lock_use: settings.lock_use,
        argv: settings.argv.clone(),
        workers: workers()?,
        profile,
    })
}

fn workers() -> Result<Workers, Diagnostic> {
    Ok(Workers {
        program: environment::program()?,
        evaluate: EVALUATION_WORKER.to_owned(),
        sandbox: SANDBOX_WORKER.to_owned(),
    })
}

/// Builds and reports everything, including failures before the first event; the report contains the exit code.
///
/// A profile is written to `profile`, relative to the working directory of the settings.
pub(crate) fn build(
    settings: &Settings,
    request: &BuildRequest,
    profile: Option<&Path>,
) -> BuildReport {
    build_told(settings, request, profile, report::reporter(settings))
}

/// Builds and reports everything to `reporter`.
pub(crate) fn build_told(
    settings: &Settings,
    request: &BuildRequest,
    profile: Option<&Path>,
    reporter: Box<dyn Reporter>,
) -> BuildReport {
    let mut witness = Witness::new(reporter);
    let session = |profile| Ok((open_profiled(settings, profile)?, cancel()?));
    match record(settings, profile, &mut witness).and_then(session) {
        Ok((session, cancel)) => {
            let report = session.build(request, &cancel, &mut witness);
            let exit = witness.exit_code(signals::exit_code(report.exit));
            BuildReport { exit, ..report }
        }
        Err(failure) => BuildReport { exit: witness.close(&failure), ..BuildReport::default() },
    }
}

/// Returns the path to show for a result: its link, which survives the next build and keeps it alive, else its path in the store.
pub(crate) fn place(built: &BuiltModule) -> &Path {
    built.link.as_deref().unwrap_or(&built.tree)
}

/// Starts the profile of a build, which `witness` will write if requested.
pub(crate) fn record(
    settings: &Settings,
    path: Option<&Path>,
    witness: &mut Witness,
) -> Result<Profile, Failure> {
    let Some(path) = path else { return Ok(Profile::default()) };
    let file = ProfileFile::prepare(&settings.cwd.join(path))?;
    let profile = Profile::recording();
    witness.keep(file, profile.clone());
    Ok(profile)
}

/// Prints warnings about registry mirrors, then returns `came`.
pub(crate) fn after_warnings<T>(session: &Session, settings: &Settings, came: T) -> T {
    for warning in session.mirror_warnings() {
        report::diagnostic::tell(&warning, settings.manner);
    }
    came
}

/// Prints the warnings of an answer, then returns the answer.
pub(crate) fn told<T>(explained: Explained<T>, settings: &Settings) -> T {
    let Explained { answer, warnings } = explained;
    for warning in &warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
    answer
}

/// Returns a token that Ctrl-C cancels.
pub(crate) fn cancel() -> Result<Arc<Cancel>, Diagnostic> {
    cancel_unless(|| false)
}

/// Returns a token that Ctrl-C cancels, unless `takes` says that the Ctrl-C was for something else.
pub(crate) fn cancel_unless(
    takes: impl Fn() -> bool + Send + 'static,
) -> Result<Arc<Cancel>, Diagnostic> {
    let failed = |source| {
        Diagnostic::error(Class::Environment, format!("cannot set up handling of Ctrl-C: {source}"))
    };
    let cancel = Cancel::new().map(Arc::new).map_err(failed)?;
    let stop = Arc::clone(&cancel);
    let stop = move || {
        let is_taken = takes();
        if !is_taken {
            stop.cancel();
        }
        !is_taken
    };
    signals::listen(stop).map_err(failed)?;
    Ok(cancel)
}

/// Opens the store that a build here would use; outside a workspace, the user's default store.
pub(crate) fn store(settings: &Settings) -> Result<Store, Failure> {
    Ok(open_store(&store_dir(settings)?, &settings.owners)?.reaching_by(settings.route.clone()))
}

/// Returns the directory of that store.
pub(crate) fn store_dir(settings: &Settings) -> Result<PathBuf, Failure> {
    let (store, explicit) = settings.store()?;
    let configured = match explicit {
        true => None,
        // A build here reports why it would not use the named store.
        false => wake_build::Workspace::discover(&settings.cwd, &settings.owners)
            .ok()
            .and_then(|workspace| workspace.store().ok()?),
    };
    Ok(configured.unwrap_or(store))
}

/// Opens this machine, for commands that need no workspace.
pub(crate) fn machine(settings: &Settings, profile: Profile) -> Result<Machine, Failure> {
    Ok(Machine::open(MachineOptions {
        store: store_dir(settings)?,
        jobs: settings.jobs,
        owners: settings.owners.clone(),
        sandbox: settings.sandbox,
        worker: worker()?,
        route: settings.route.clone(),
        profile,
    })?)
}

/// Returns how to start a worker that runs commands for this process.
pub(crate) fn worker() -> Result<WorkerCommand, Diagnostic> {
    Ok(WorkerCommand { program: environment::program()?, args: vec![SANDBOX_WORKER.to_owned()] })
}

/// Tries each kind of sandbox on this machine.
pub(crate) fn probe() -> Result<Vec<Finding>, Failure> {
    Ok(wake_exec::probe(&Executor::new(worker()?)))
}
