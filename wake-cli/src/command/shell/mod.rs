//! `wake shell` and `wake exec`: a user's command in the sandbox of a step.

mod terminal;
mod visitor;

use std::io::{self, ErrorKind, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wake_build::{Guest, GuestManner, StepVisit, VisitEnd, VisitPlace, VisitedStep};
use wake_exec::{CancelToken, VisitOrder};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::{Event, Reporter};

use self::visitor::{Person, VisitManner};
use crate::args::{ConfigArgs, ExecArgs, MessageFormat, ShellArgs};
use crate::command::log;
use crate::exit::{Exit, NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, Outcome, Stop};
use crate::report::{self, witness::Witness};
use crate::selection;
use crate::settings::Settings;
use crate::{session, signals};

/// Opens a shell in the sandbox of a step.
pub(crate) fn shell(args: &ShellArgs, settings: &Settings) -> Outcome {
    let place = match (&args.target, args.failed) {
        (_, true) => VisitPlace::Labelled(last_failed(settings)?),
        (Some(target), false) => VisitPlace::Target(target.clone()),
        (None, false) => VisitPlace::Target(".".into()),
    };
    visit(place, Guest::Shell, args.after || args.failed, &args.config, settings)
}

/// Runs one command in the sandbox of a step.
pub(crate) fn exec(args: &ExecArgs, settings: &Settings) -> Outcome {
    let Some((name, rest)) = args.command.split_first() else {
        return Err(Diagnostic::error(Class::Usage, "no command given").into());
    };
    let guest = Guest::Program { name: name.clone(), args: rest.to_vec() };
    visit(VisitPlace::Target(args.target.clone()), guest, args.after, &args.config, settings)
}

fn visit(
    place: VisitPlace,
    guest: Guest,
    after: bool,
    config: &ConfigArgs,
    settings: &Settings,
) -> Outcome {
    let doorway = Doorway::new(guest, after, settings)?;
    let manner = doorway.manner.clone();
    let visit = StepVisit { place, config: selection::config(config)?, manner };
    let mut witness = witness(settings);
    let session = match session::open(settings) {
        Ok(session) => session,
        Err(failure) => return Ok(Exit(not_built(witness.close(&failure)))),
    };
    let enter = |step: &VisitedStep| doorway.person(step, settings);
    let end = session.visit(&visit, &doorway.cancel, &mut witness, enter);
    ended(end, &mut witness)
}

/// Returns the reporter for what has to be built first.
pub(crate) fn witness(settings: &Settings) -> Witness {
    let reporter = report::reporter(settings);
    Witness::new(match settings.format {
        MessageFormat::Json => reporter,
        MessageFormat::Human | MessageFormat::Short => Box::new(Modest(reporter)),
    })
}

/// How a user enters a step, and is interrupted there.
pub(crate) struct Doorway {
    pub(crate) manner: GuestManner,
    pub(crate) cancel: Arc<Cancel>,
    own_runs: Arc<AtomicBool>,
    enough: CancelToken,
}

impl Doorway {
    pub(crate) fn new(guest: Guest, after: bool, settings: &Settings) -> Result<Self, Diagnostic> {
        let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        let kind = || settings.terminal_kind.clone().unwrap_or("dumb".to_owned());
        let order = if after { VisitOrder::After } else { VisitOrder::Before };
        let manner = GuestManner { guest, order, terminal: at_terminal.then(kind) };
        // While the step's own command runs, Ctrl-C goes to it.
        let own_runs = Arc::new(AtomicBool::new(false));
        let enough = CancelToken::new().map_err(|error| {
            Diagnostic::error(
                Class::Environment,
                format!("cannot set up handling of Ctrl-C: {error}"),
            )
        })?;
        let (runs, stop) = (own_runs.clone(), enough.clone());
        let cancel = session::cancel_unless(move || {
            let is_own = runs.swap(false, Ordering::Relaxed);
            if is_own {
                stop.cancel();
            }
            is_own
        })?;
        Ok(Doorway { manner, cancel, own_runs, enough })
    }

    /// Makes the visitor of a step.
    pub(crate) fn person(&self, step: &VisitedStep, settings: &Settings) -> Person {
        let after = self.manner.order == VisitOrder::After;
        self.own_runs.store(after, Ordering::Relaxed);
        let is_shell = matches!(self.manner.guest, Guest::Shell);
        let how = VisitManner { is_shell, after, at_terminal: self.manner.terminal.is_some() };
        let (own_runs, enough) = (self.own_runs.clone(), self.enough.clone());
        Person::approaching(step, how, own_runs, enough, settings.manner)
    }
}

/// Turns the end of a visit into the end of the command.
pub(crate) fn ended(end: Result<VisitEnd, Failure>, witness: &mut Witness) -> Outcome {
    match end {
        Ok(VisitEnd::NotBuilt(code)) => {
            Ok(Exit(not_built(witness.exit_code(signals::exit_code(code)))))
        }
        Ok(VisitEnd::Ended(outcome)) => Ok(Exit(u8::try_from(outcome.exit_code()).unwrap_or(1))),
        Ok(VisitEnd::NotStarted(why, ErrorKind::NotFound)) => Err(Stop::Refusal(*why, NOT_FOUND)),
        Ok(VisitEnd::NotStarted(why, _)) => Err(Stop::Refusal(*why, NOT_EXECUTABLE)),
        Err(failure) => Err(refused(failure)),
    }
}

/// A reporter that stays silent if nothing had to be built.
struct Modest(Box<dyn Reporter>);

impl Reporter for Modest {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Finished { exit: 0, counts, .. } if counts.total == 0 => {}
            event => self.0.event(event),
        }
    }

    fn tick(&mut self) {
        self.0.tick();
    }

    fn take_fault(&mut self) -> Option<io::Error> {
        self.0.take_fault()
    }
}

/// Returns the exit code if nothing could be entered: that of container tools, except for usage errors and interrupts.
fn not_built(code: u8) -> u8 {
    if code == Class::Usage.exit_code() || code > 128 { code } else { NOT_STARTED }
}

/// Turns a failure to enter a built step into the end of the command.
fn refused(mut failure: Failure) -> Stop {
    let code = not_built(signals::exit_code(failure.class().exit_code()));
    match failure.diagnostics.pop() {
        Some(diagnostic) if failure.diagnostics.is_empty() => Stop::Refusal(diagnostic, code),
        diagnostic => {
            failure.diagnostics.extend(diagnostic);
            Stop::Failure(failure)
        }
    }
}

/// Returns the step that failed last in this workspace.
fn last_failed(settings: &Settings) -> Result<String, Stop> {
    let session = session::open(settings)?;
    log::last_failed(&session.state_dir()).ok_or_else(|| {
        Diagnostic::error(
            Class::Nothing,
            "no step has failed in the recorded builds of this workspace",
        )
        .help("name the module to enter: `wake shell TARGET`")
        .into()
    })
}
