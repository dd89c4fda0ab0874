//! `wake build --watch`: built again when something changes that matters.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wake_build::{BuildRequest, LookedAt, Workspace};
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

/// After a change so long a silence is waited for: editors write one file in several goes.
const SETTLED: Duration = Duration::from_millis(15);

/// What wakes the one who builds.
enum Wake {
    /// Something changed.
    Changed,
    /// A person ends it.
    Interrupted,
    /// It cannot go on.
    Failed(WatchError),
}

/// The build that is going on, as those see it who may stop it.
#[derive(Default)]
struct Current {
    cancel: Option<Arc<Cancel>>,
    /// What the build before looked at; none if nothing is known.
    looked_at: Option<LookedAt>,
    /// Whether it is stopped because of a change.
    is_stale: bool,
}

/// Builds `request` again and again; `poll` says how often to look where nothing is watched.
pub(crate) fn run(request: &BuildRequest, poll: Option<Duration>, settings: &Settings) -> Outcome {
    let workspace = Workspace::discover(&settings.cwd, &settings.owners)?;
    let current: Arc<Mutex<Current>> = Arc::default();
    let (sender, receiver) = channel();
    let is_over = Arc::new(AtomicBool::new(false));
    listen(&current, &sender, &is_over)?;
    let watched = match poll {
        Some(_) => None,
        None => Some(watch(&workspace, current.clone(), sender).map_err(refused)?),
    };
    let (mut is_first, mut has_failed) = (true, false);
    loop {
        let mut reporter = Reticent::new(report::reporter(settings), is_first || has_failed);
        let BuildRound { exit, is_stale } = build(request, settings, &current, &mut reporter)?;
        has_failed = exit != 0;
        if is_over.load(Ordering::Relaxed) {
            return Ok(Exit(signals::exit_code(Class::Interrupted.exit_code())));
        }
        if is_first {
            tell(settings, watched);
        }
        is_first = false;
        if is_stale {
            say(settings, Role::Caution, "Changed", "what it was building; begun again");
            continue;
        }
        match wait(&receiver, poll) {
            Wake::Changed => {}
            Wake::Interrupted => {
                return Ok(Exit(signals::exit_code(Class::Interrupted.exit_code())));
            }
            Wake::Failed(error) => return Err(refused(error)),
        }
    }
}

/// What came of one build of many.
struct BuildRound {
    exit: u8,
    /// Whether it was stopped by a change.
    is_stale: bool,
}

/// Builds once.
fn build(
    request: &BuildRequest,
    settings: &Settings,
    current: &Mutex<Current>,
    reporter: &mut Reticent,
) -> Result<BuildRound, Stop> {
    let cancel = Cancel::new().map(Arc::new).map_err(|error| {
        Diagnostic::error(Class::Environment, format!("cannot prepare for Ctrl-C: {error}"))
    })?;
    let (looked_at, exit) = {
        let session = match session::open(settings) {
            Ok(session) => session,
            // What is wrong may be mended while one watches.
            Err(failure) => {
                let exit = failure.class().exit_code();
                for diagnostic in failure.diagnostics {
                    report::diagnostic::tell(&diagnostic, settings.manner);
                }
                return Ok(BuildRound { exit, is_stale: false });
            }
        };
        *lock(current) = Current {
            cancel: Some(cancel.clone()),
            looked_at: session.looked_at(),
            is_stale: false,
        };
        let report = session.build(request, &cancel, reporter);
        (session.looked_at(), report.exit)
    };
    let mut current = lock(current);
    let is_stale = current.is_stale;
    *current = Current { looked_at, ..Current::default() };
    Ok(BuildRound { exit, is_stale })
}

/// Ends everything at Ctrl-C.
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
        Diagnostic::error(Class::Environment, format!("cannot prepare for Ctrl-C: {error}"))
    })
}

/// Watches in a thread; gives the number of directories.
fn watch(
    workspace: &Workspace,
    current: Arc<Mutex<Current>>,
    sender: Sender<Wake>,
) -> Result<usize, WatchError> {
    let root = workspace.root.clone();
    let mut watch = TreeWatch::start(&root)?;
    let dirs = watch.dirs();
    let work = move || {
        loop {
            let wake = match watch.wait() {
                Ok(changed) => {
                    stop_if_stale(&current, changed);
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

/// Stops the build that is going on if it looked at what has changed, or if that cannot be known.
fn stop_if_stale(current: &Mutex<Current>, changed: Option<Vec<PathBuf>>) {
    let mut current = lock(current);
    let Some(cancel) = current.cancel.clone() else { return };
    let concerns = |path: &PathBuf| match &current.looked_at {
        Some(looked_at) => path.to_str().is_some_and(|path| looked_at.concerns(path)),
        // Of a first build nothing is known yet.
        None => !is_of_an_editor(path),
    };
    if changed.is_none_or(|changed| changed.iter().any(concerns)) {
        current.is_stale = true;
        cancel.cancel();
    }
}

/// Whether a file is one that editors put beside what is edited.
fn is_of_an_editor(path: &std::path::Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(['.', '#']) || name.ends_with('~')
}

/// Waits for a change, and until it seems to be whole.
fn wait(receiver: &Receiver<Wake>, poll: Option<Duration>) -> Wake {
    let first = match poll {
        Some(poll) => receiver.recv_timeout(poll),
        None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let mut wake = match first {
        Ok(wake) => wake,
        Err(RecvTimeoutError::Timeout) => return Wake::Changed,
        Err(RecvTimeoutError::Disconnected) => return Wake::Interrupted,
    };
    while let Wake::Changed = wake {
        match receiver.recv_timeout(SETTLED) {
            Ok(next) => wake = next,
            Err(_) => break,
        }
    }
    wake
}

fn tell(settings: &Settings, watched: Option<usize>) {
    let text = match watched {
        Some(1) => "1 directory; Ctrl-C ends".to_owned(),
        Some(dirs) => format!("{dirs} directories; Ctrl-C ends"),
        None => "by looking again and again; Ctrl-C ends".to_owned(),
    };
    say(settings, Role::Good, "Watching", &text);
}

fn say(settings: &Settings, role: Role, verb: &str, text: &str) {
    if settings.manner.verbosity == Verbosity::Quiet {
        return;
    }
    let line = settings.manner.style.verb(role, verb, text);
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn refused(error: WatchError) -> Stop {
    let message = error.to_string();
    let diagnostic = Diagnostic::error(Class::Environment, message);
    let diagnostic = match error {
        WatchError::Limit { .. } => diagnostic
            .help("look again every few seconds instead: `--poll 2`")
            .help("root can raise the limits `fs.inotify.max_user_watches` and `fs.inotify.max_user_instances` with `sysctl`"),
        WatchError::Io { .. } => diagnostic.help("look again every few seconds instead: `--poll 2`"),
        WatchError::Gone { .. } => diagnostic,
    };
    diagnostic.into()
}

fn lock(current: &Mutex<Current>) -> std::sync::MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says nothing of a build that had nothing to do.
struct Reticent {
    inner: Box<dyn Reporter>,
    held: Vec<Event>,
    speaks: bool,
}

impl Reticent {
    fn new(inner: Box<dyn Reporter>, speaks: bool) -> Reticent {
        Reticent { inner, held: Vec::new(), speaks }
    }

    /// Whether there is something to tell.
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
