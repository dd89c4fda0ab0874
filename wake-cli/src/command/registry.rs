//! `wake registry` and `wake yank`

use std::io::Write;

use wake_build::Yank;
use wake_model::{PkgName, Version};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{RegistryCommand, SignArgs, YankArgs};
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Runs a `wake registry` subcommand.
pub(crate) fn run(command: &RegistryCommand, settings: &Settings, say: &mut impl Write) -> Outcome {
    let name = match command {
        RegistryCommand::Forget { name } => name,
        RegistryCommand::Sign(args) => return sign(args, settings, say),
    };
    let was_there = session::open(settings)?.forget_registry(name)?;
    let rest = match was_there {
        true => format!("the recorded state of registry `{name}`"),
        false => format!("nothing: no state of registry `{name}` was recorded"),
    };
    tell("Forgot", &rest, settings, say)
}

fn sign(args: &SignArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let holds = u64::from(args.days) * 86_400;
    let session = session::open(settings)?;
    let (serial, key) = session.sign_registry(&args.name, args.key.as_deref(), holds)?;
    let (name, id) = (&args.name, key.key.public().id());
    let rest = format!(
        "registry `{name}`, number {serial}, for {} days, by {} ({id})",
        args.days, key.name
    );
    tell("Signed", &rest, settings, say)
}

/// Yanks a version, or undoes a yank.
pub(crate) fn yank(args: &YankArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let (pkg, version) = parse(&args.version)?;
    let yank = args.reason.clone().map(|reason| Yank { reason, instead: args.instead.clone() });
    let undone = yank.is_none();
    let news = session::open(settings)?.yank(&pkg, &version, yank)?;
    let verb = if undone { "Unyanked" } else { "Yanked" };
    let rest = match news {
        true => format!("{pkg} {version}"),
        false => format!("{pkg} {version}: no change"),
    };
    tell(verb, &rest, settings, say)
}

fn tell(verb: &str, rest: &str, settings: &Settings, say: &mut impl Write) -> Outcome {
    if settings.manner.verbosity > Verbosity::Quiet {
        let line = settings.manner.style.verb(Role::Good, verb, escape::line(rest));
        writeln!(say, "{line}")?;
    }
    Ok(Exit::SUCCESS)
}

/// Parses `NAMESPACE/NAME@VERSION`.
pub(crate) fn parse(text: &str) -> Result<(PkgName, Version), Diagnostic> {
    let wrong = |problem: String| {
        Diagnostic::error(Class::Usage, problem)
            .help("write the version as `NAMESPACE/NAME@VERSION`, such as `acme/greet@1.2.0`")
    };
    let (pkg, version) =
        text.split_once('@').ok_or_else(|| wrong(format!("no version in `{text}`")))?;
    let pkg = pkg.parse().map_err(|error| wrong(format!("{error}")))?;
    let version = version.parse().map_err(|error| wrong(format!("{error}")))?;
    Ok((pkg, version))
}
