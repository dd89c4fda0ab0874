//! `wake add` and `wake remove`

use std::io::Write;

use wake_build::{Addition, NeedsChange};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{AddArgs, RemoveArgs};
use crate::command::lock;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Has the package around the person name more packages.
pub(crate) fn add(args: &AddArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let additions: Vec<Addition> =
        args.packages.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let session = session::open(settings)?;
    let change = session.add(&additions, &*session::cancel()?);
    let change = session::after_warnings(&session, settings, change)?;
    tell("Added", "to", &change, settings, say)
}

/// Has it name packages no more.
pub(crate) fn remove(args: &RemoveArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let change = session.remove(&args.packages, &*session::cancel()?);
    let change = session::after_warnings(&session, settings, change)?;
    tell("Removed", "from", &change, settings, say)
}

fn tell(
    verb: &str,
    preposition: &str,
    change: &NeedsChange,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let NeedsChange { file, needs, lock } = change;
    if settings.manner.verbosity > Verbosity::Quiet {
        for need in needs {
            let rest = format!("{need} {preposition} {file}");
            let line = settings.manner.style.verb(Role::Good, verb, escape::line(&rest));
            writeln!(say, "{line}")?;
        }
        if !lock.is_empty() {
            lock::tell(lock, false, settings, say)?;
        }
    }
    Ok(Exit::SUCCESS)
}

/// `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`
fn parse(text: &str) -> Result<Addition, Diagnostic> {
    let (name, requirement) = match text.split_once('@') {
        Some((name, requirement)) => (name, Some(requirement)),
        None => (text, None),
    };
    let wrong = |problem: String| {
        Diagnostic::error(Class::Usage, problem)
            .help("a package is named `NAMESPACE/NAME`, or `NAMESPACE/NAME@REQUIREMENT`")
    };
    let name = name.parse().map_err(|error| wrong(format!("{error}")))?;
    let requirement = requirement.map(str::parse).transpose();
    Ok(Addition { name, requirement: requirement.map_err(|error| wrong(format!("{error}")))? })
}
