//! `--watch`: rebuilding after every relevant change.
//!
//! The state of a build stays in memory, with all paths touched since, so the next build checks only those. What the kernel does
//! not report is found by checking everything once nothing has changed for a while.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wake_build::{
    BuildRequest, Kept, LookOver, LookedAt, Session, Standing, Touched, WORKSPACE_FILE, Workspace,
};
use wake_model::LOCK_FILE;
use wake_model::place::PKG_FILE;
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::event::{Event, Reporter, Status};

use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::report;
use crate::settings::Settings;
use crate::terminal::style::Role;
use crate::watch::{TreeWatch, WatchError};
use crate::{session, signals};

/// How long to wait for silence after a change: editors write a file in several steps.
const SETTLED: Duration = Duration::from_millis(10);

/// The number of changes without such a silence after which to build anyway: continuous writes must not block builds.
const ENOUGH: usize = 200;

/// How long a silence leads to checking everything, if the last build only checked touched paths.
const QUIET: Duration = Duration::from_secs(2);

/// Names of files that decide what is built at all.
const DECISIVE: [&str; 3] = [WORKSPACE_FILE, PKG_FILE, LOCK_FILE];

/// What wakes up the builder.
enum Wake {
    /// Something changed.
    Changed,
    /// Nothing changed for a while.
    Quiet,
    /// The user interrupted.
    Interrupted,
    /// Watching failed.
    Failed(WatchError),
}

/// What to do on every change.
pub(crate) struct Watched<'a> {
    /// What to build.
    pub(crate) request: &'a BuildRequest,
    /// The polling interval, if not watching through the kernel.
    pub(crate) poll: Option<Duration>,
    /// Makes the reporter of a build.
    pub(crate) reporter: &'a mut dyn FnMut() -> Box<dyn Reporter>,
    /// Called after a build that was not stopped and had something to report.
    pub(crate) after: &'a mut dyn FnMut(&Session) -> Result<(), Diagnostic>,
}

/// Where something has changed since the last build began.
enum Since {
    /// At these paths.
    At(Touched),
    /// Possibly anywhere.
    Anywhere,
}

/// The running build, as seen by whatever may stop it.
struct Current {
    cancel: Option<Arc<Cancel>>,
    /// What the previous build looked at; `None` if unknown.
    looked_at: Option<Arc<LookedAt>>,
    /// Whether a change has made it stale, so that it is stopped.
    is_stale: bool,
    /// What has changed since it began.
    touched: Since,
}

/// Builds after every change until interrupted.
pub(crate) fn run<'a>(watched: Watched<'a>, settings: &'a Settings) -> Outcome {
    let workspace = Workspace::discover(&settings.cwd, &settings.owners)?;
    let touched = Since::Anywhere;
    let current = Current { cancel: None, looked_at: None, is_stale: false, touched };
    let current = Arc::new(Mutex::new(current));
    let (sender, receiver) = channel();
    let is_over = Arc::new(AtomicBool::new(false));
    listen(&current, &sender, &is_over)?;
    let poll = watched.poll;
    let dirs = watch(&workspace, poll, current.clone(), sender).map_err(refused)?;
    let interrupted = || Ok(Exit(signals::exit_code(Class::Interrupted.exit_code())));
    let (opened, kept) = (None, None);
    let mut builder = Builder { watched, settings, current, opened, kept };
    let (mut is_first, mut has_failed) = (true, false);
    loop {
        let BuildRound { exit, is_stale } = builder.build(is_first || has_failed)?;
        has_failed = exit != 0;
        if is_over.load(Ordering::Relaxed) {
            return interrupted();
        }
        if is_first {
            tell(settings, dirs);
        }
        is_first = false;
        if is_stale {
            say(settings, Role::Caution, "Changed", "files of the running build; restarting");
            continue;
        }
        if !has_failed && builder.kept.is_none() {
            builder.look_over();
        }
        // After each successful build, check once for changes that the kernel did not report.
        let mut is_sure = has_failed || builder.kept.is_none();
        loop {
            match wait(&receiver, (!is_sure).then_some(QUIET)) {
                Wake::Changed => break,
                Wake::Quiet if builder.look_over() => is_sure = true,
                Wake::Quiet => break,
                Wake::Interrupted => return interrupted(),
                Wake::Failed(error) => return Err(refused(error)),
            }
        }
    }
}

/// The result of one build.
struct BuildRound {
    exit: u8,
    /// Whether a change stopped it.
    is_stale: bool,
}

/// The builder, with the state kept between builds.
struct Builder<'a> {
    watched: Watched<'a>,
    settings: &'a Settings,
    current: Arc<Mutex<Current>>,
    opened: Option<Session>,
    kept: Option<Kept>,
}

impl Builder<'_> {
    /// Builds once; `speaks` says whether to report a build with nothing to do.
    fn build(&mut self, speaks: bool) -> Result<BuildRound, Stop> {
        let cancel = Cancel::new().map(Arc::new).map_err(|error| {
            Diagnostic::error(
                Class::Environment,
                format!("cannot set up handling of Ctrl-C: {error}"),
            )
        })?;
        let touched = {
            let mut current = lock(&self.current);
            current.is_stale = false;
            current.cancel = Some(cancel.clone());
            std::mem::replace(&mut current.touched, Since::At(Touched::default()))
        };
        let mut reporter = Reticent::new((self.watched.reporter)(), speaks);
        let exit = match touched {
            Since::At(touched) if self.can_build_on(&touched) => {
                self.build_on(touched, &cancel, &mut reporter)
            }
            _ => self.build_anew(&cancel, &mut reporter),
        };
        let is_stale = {
            let mut current = lock(&self.current);
            current.cancel = None;
            std::mem::take(&mut current.is_stale)
        };
        if let Some(session) = &self.opened
            && reporter.speaks
            && !is_stale
        {
            (self.watched.after)(session)?;
        }
        Ok(BuildRound { exit, is_stale })
    }

    /// Whether the next build can start from the last one's state.
    fn can_build_on(&self, touched: &Touched) -> bool {
        let is_decisive = |path: &str| {
            let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
            DECISIVE.contains(&name)
        };
        match (&self.opened, &self.kept) {
            (Some(session), Some(kept)) if !touched.paths().any(is_decisive) => {
                session.can_build_on(self.watched.request, kept, touched)
            }
            _ => false,
        }
    }

    /// Builds when only `touched` may have changed since the last build.
    fn build_on(&mut self, touched: Touched, cancel: &Cancel, reporter: &mut Reticent) -> u8 {
        let (Some(session), Some(kept)) = (&self.opened, &mut self.kept) else {
            return self.build_anew(cancel, reporter);
        };
        let report = session.build_on(kept, &touched, self.watched.request, cancel, reporter);
        match kept.standing() {
            Standing::Current => {}
            Standing::Behind => lock(&self.current).touched.note_all(touched),
            Standing::Lost => self.kept = None,
        }
        report.exit
    }

    /// Builds from scratch, without kept state.
    fn build_anew(&mut self, cancel: &Cancel, reporter: &mut Reticent) -> u8 {
        (self.opened, self.kept) = (None, None);
        let session = match session::open(self.settings) {
            Ok(session) => session,
            // The error may be fixed while watching.
            Err(failure) => {
                let exit = failure.class().exit_code();
                for diagnostic in failure.diagnostics {
                    report::diagnostic::tell(&diagnostic, self.settings.manner);
                }
                return exit;
            }
        };
        let report = session.build(self.watched.request, cancel, reporter);
        self.opened = Some(session);
        report.exit
    }

    /// Checks whether everything is as the last build left it, and keeps that state; returns whether it is.
    fn look_over(&mut self) -> bool {
        let Some(session) = &self.opened else { return false };
        // The next build checks paths touched from here on.
        lock(&self.current).touched = Since::At(Touched::default());
        match session.look_over(self.watched.request, self.kept.take()) {
            LookOver::Same(kept) => {
                lock(&self.current).looked_at = kept.looked_at().map(Arc::new);
                self.kept = Some(*kept);
                true
            }
            LookOver::Different => {
                lock(&self.current).touched = Since::Anywhere;
                false
            }
        }
    }
}

impl Since {
    fn note_all(&mut self, others: Touched) {
        if let Since::At(touched) = self {
            touched.note_all(others);
        }
    }
}

/// Handles Ctrl-C.
fn listen(
    current: &Arc<Mutex<Current>>,
    sender: &Sender<Wake>,
    is_over: &Arc<AtomicBool>,
) -> Result<(), Diagnostic> {
    let (current, sender, is_over) = (current.clone(), sender.clone(), is_over.clone());
    let stop = move || {
        is_over.store(true, Ordering::Relaxed);
        if let Some(cancel) = &lock(&current).cancel {
            cancel.cancel();
        }
        let _ = sender.send(Wake::Interrupted);
        true
    };
    signals::listen(stop).map_err(|error| {
        Diagnostic::error(Class::Environment, format!("cannot set up handling of Ctrl-C: {error}"))
    })
}

/// Starts the watching thread; returns the number of directories that the kernel watches.
fn watch(
    workspace: &Workspace,
    poll: Option<Duration>,
    current: Arc<Mutex<Current>>,
    sender: Sender<Wake>,
) -> Result<Option<usize>, WatchError> {
    let root = workspace.root.clone();
    let mut watch = TreeWatch::start(&root, poll)?;
    let dirs = watch.dirs();
    let work = move || {
        loop {
            let wake = match watch.wait() {
                Ok(changed) => {
                    note(&current, changed);
                    Wake::Changed
                }
                Err(error) => Wake::Failed(error),
            };
            let is_last = matches!(wake, Wake::Failed(_));
            if sender.send(wake).is_err() || is_last {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name("watch".to_owned()).spawn(work);
    started.map_err(|source| WatchError::Io { path: root, source })?;
    Ok(dirs)
}

/// Records changes, and stops the running build if it looked at them or if that is unknown.
fn note(current: &Mutex<Current>, changed: Option<Vec<PathBuf>>) {
    let mut current = lock(current);
    if let Some(cancel) = current.cancel.clone() {
        let concerns = |path: &PathBuf| match &current.looked_at {
            Some(looked_at) => path.to_str().is_some_and(|path| looked_at.concerns(path)),
            // Nothing is known yet during a first build.
            None => !is_of_an_editor(path),
        };
        if changed.as_ref().is_none_or(|changed| changed.iter().any(concerns)) {
            current.is_stale = true;
            cancel.cancel();
        }
    }
    match (&mut current.touched, changed) {
        (_, None) => current.touched = Since::Anywhere,
        // Packages cannot name a file whose name is not UTF-8, but its directory has changed.
        (Since::At(touched), Some(changed)) => {
            let texts = changed.iter().map(|path| path.to_string_lossy().into_owned());
            texts.for_each(|path| touched.note(path));
        }
        (Since::Anywhere, Some(_)) => {}
    }
}

/// Whether a file is an editor's temporary file.
fn is_of_an_editor(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(['.', '#']) || name.ends_with('~')
}

/// Waits for a change and for the silence after it, or until nothing has changed for `quiet`.
fn wait(receiver: &Receiver<Wake>, quiet: Option<Duration>) -> Wake {
    let first = match quiet {
        Some(quiet) => receiver.recv_timeout(quiet),
        None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let mut wake = match first {
        Ok(wake) => wake,
        Err(RecvTimeoutError::Timeout) => return Wake::Quiet,
        Err(RecvTimeoutError::Disconnected) => return Wake::Interrupted,
    };
    for _ in 0..ENOUGH {
        let Wake::Changed = wake else { break };
        match receiver.recv_timeout(SETTLED) {
            Ok(next) => wake = next,
            Err(_) => break,
        }
    }
    wake
}

fn tell(settings: &Settings, watched: Option<usize>) {
    let text = match watched {
        Some(1) => "1 directory; press Ctrl-C to stop".to_owned(),
        Some(dirs) => format!("{dirs} directories; press Ctrl-C to stop"),
        None => "by polling; press Ctrl-C to stop".to_owned(),
    };
    say(settings, Role::Good, "Watching", &text);
}

fn say(settings: &Settings, role: Role, verb: &str, text: &str) {
    if settings.manner.verbosity == Verbosity::Quiet {
        return;
    }
    let line = settings.manner.style.verb(role, verb, text);
    // A closed standard error is not an error.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn refused(error: WatchError) -> Stop {
    let message = error.to_string();
    let diagnostic = Diagnostic::error(Class::Environment, message);
    let diagnostic = match error {
        WatchError::Limit { .. } => diagnostic
            .help("use `--poll 2` to poll for changes every 2 seconds")
            .help("or raise the limits `fs.inotify.max_user_watches` and `fs.inotify.max_user_instances` with `sysctl` as root"),
        WatchError::Io { .. } => diagnostic.help("use `--poll 2` to poll for changes every 2 seconds"),
        WatchError::Gone { .. } => diagnostic,
    };
    diagnostic.into()
}

fn lock(current: &Mutex<Current>) -> std::sync::MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A reporter that stays silent about a build with nothing to do.
struct Reticent {
    inner: Box<dyn Reporter>,
    held: Vec<Event>,
    speaks: bool,
}

impl Reticent {
    fn new(inner: Box<dyn Reporter>, speaks: bool) -> Reticent {
        Reticent { inner, held: Vec::new(), speaks }
    }

    /// Whether the event is worth reporting.
    fn matters(event: &Event) -> bool {
        match event {
            Event::ActionStarted { .. } => true,
            Event::ActionFinished(finished) => {
                matches!(finished.status, Status::Ran | Status::Failed)
            }
            Event::Diagnostic(diagnostic) => diagnostic.level == Level::Error,
            Event::Finished { exit, .. } => *exit != 0,
            _ => false,
        }
    }
}

impl Reporter for Reticent {
    fn event(&mut self, event: &Event) {
        if !self.speaks && !Reticent::matters(event) {
            return self.held.push(event.clone());
        }
        self.speaks = true;
        for held in std::mem::take(&mut self.held) {
            self.inner.event(&held);
        }
        self.inner.event(event);
    }

    fn tick(&mut self) {
        if self.speaks {
            self.inner.tick();
        }
    }
}
