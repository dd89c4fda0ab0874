//! `wake lock` and `wake update`

use std::io::Write;

use wake_build::{LockChange, LockRequest};
use wake_steps::event::Event;

use crate::args::{LockArgs, UpdateArgs};
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::{Manner, Verbosity};
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// The exit code if the lock would change.
const WOULD_CHANGE: Exit = Exit(11);

/// Updates the lock to meet the requirements.
pub(crate) fn run(args: &LockArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let request = LockRequest { check: args.check, ..LockRequest::default() };
    let changes = settled(&request, settings, say)?;
    tell(&changes, args.check, settings, say)?;
    Ok(if args.check && !changes.is_empty() { WOULD_CHANGE } else { Exit::SUCCESS })
}

/// Updates locked packages to newer versions.
pub(crate) fn update(args: &UpdateArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let request = LockRequest {
        update: Some(args.packages.clone()),
        precise: args.precise.clone(),
        now: args.now,
        check: false,
    };
    let changes = settled(&request, settings, say)?;
    tell(&changes, false, settings, say)?;
    Ok(Exit::SUCCESS)
}

/// Computes the changes, reporting retrievals as they happen.
fn settled(
    request: &LockRequest,
    settings: &Settings,
    say: &mut impl Write,
) -> Result<Vec<LockChange>, Stop> {
    let mut tell = |event: &Event| tell_retrieving(event, settings, say);
    let session = session::open(settings)?;
    let changes = session.lock(request, &*session::cancel()?, &mut tell);
    Ok(session::after_warnings(&session, settings, changes)?)
}

/// Reports that a retriever is being asked, if `event` says so.
pub(crate) fn tell_retrieving(event: &Event, settings: &Settings, say: &mut impl Write) {
    let Manner { style, verbosity, .. } = settings.manner;
    if let Event::Retrieving { by, pkgs } = event
        && verbosity > Verbosity::Quiet
    {
        // A failed write only loses progress.
        let text = words::retrieving(by, *pkgs);
        let _ = writeln!(say, "{}", style.verb(Role::Good, "Retrieving", text));
    }
}

/// Reports the changes of the lock, made or pending.
pub(crate) fn tell(
    changes: &[LockChange],
    only_looked: bool,
    settings: &Settings,
    say: &mut impl Write,
) -> std::io::Result<()> {
    if settings.manner.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    let style = settings.manner.style;
    let (role, verb) = match only_looked {
        true => (Role::Caution, "Would lock"),
        false => (Role::Good, "Locked"),
    };
    for change in changes {
        writeln!(say, "{}", style.verb(role, verb, escape::line(&change.to_string())))?;
    }
    if changes.is_empty() {
        let rest = "`wake.lock` is up to date";
        writeln!(say, "{}", style.verb(Role::Good, "Finished", rest))?;
    }
    Ok(())
}
