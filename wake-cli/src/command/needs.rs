//! `wake add` and `wake remove`

use std::io::Write;
use std::time::{Duration, SystemTime};

use wake_build::{AddRequest, Addition, FoundNeed, NeedsChange, Signers};
use wake_model::{PkgName, Requirement};
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{AddArgs, RemoveArgs};
use crate::clock;
use crate::command::lock;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Adds dependencies to the current package.
pub(crate) fn add(args: &AddArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let addition = |text: &String| parse(text, args.by.as_ref());
    let additions: Vec<Addition> = args.packages.iter().map(addition).collect::<Result<_, _>>()?;
    let request = AddRequest { additions, now: args.now };
    let session = session::open(settings)?;
    let change = session.add(&request, &*session::cancel()?, &mut |event| {
        lock::tell_retrieving(event, settings, say);
    });
    let change = session::after_warnings(&session, settings, change)?;
    tell("Added", "to", &change, settings, say)
}

/// Removes dependencies from the current package.
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
    let NeedsChange { file, needs, found, lock } = change;
    if settings.manner.verbosity > Verbosity::Quiet {
        let style = settings.manner.style;
        for (number, need) in needs.iter().enumerate() {
            let rest = format!("{need} {preposition} {file}");
            writeln!(say, "{}", style.verb(Role::Good, verb, escape::line(&rest)))?;
            if let Some(Some(found)) = found.get(number) {
                let rest = account(found);
                writeln!(say, "{}", style.verb(Role::Good, "Found", escape::line(&rest)))?;
            }
        }
        if !lock.is_empty() {
            lock::tell(lock, false, settings, say)?;
        }
    }
    Ok(Exit::SUCCESS)
}

/// Describes a version: `2.0.1 in main, published 3 days ago, unsigned, needs nothing`.
fn account(found: &FoundNeed) -> String {
    let FoundNeed { version, from, at, signers, needs } = found;
    let Some(signers) = signers else { return format!("{version}, retrieved by {from}") };
    let age = at.map(|at| clock::since(SystemTime::UNIX_EPOCH + Duration::from_secs(at)));
    let age = age.map_or_else(String::new, |age| format!(", published {}", words::ago(age)));
    let signed = match signers {
        Signers::Nobody => "unsigned".to_owned(),
        Signers::Counts(key) => format!("signed by {key}, which is trusted"),
        Signers::Said(keys) => format!("said to be signed by {}, not verified", keys.join(", ")),
        Signers::Unknown(problem) => format!("signer unknown: {problem}"),
    };
    let needs = match needs.as_deref() {
        None | Some([]) => "nothing".to_owned(),
        Some(needs) => needs.join(", "),
    };
    format!("{version} in {from}{age}, {signed}, needs {needs}")
}

fn parse(text: &str, by: Option<&String>) -> Result<Addition, Diagnostic> {
    let (name, requirement) = wanted(text)?;
    Ok(Addition { name, requirement, by: by.cloned() })
}

/// Parses `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`.
pub(crate) fn wanted(text: &str) -> Result<(PkgName, Option<Requirement>), Diagnostic> {
    let (name, requirement) = match text.split_once('@') {
        Some((name, requirement)) => (name, Some(requirement)),
        None => (text, None),
    };
    let wrong = |problem: String| {
        Diagnostic::error(Class::Usage, problem)
            .help("write the package as `NAMESPACE/NAME` or `NAMESPACE/NAME@REQUIREMENT`")
    };
    let name = name.parse().map_err(|error| wrong(format!("{error}")))?;
    let requirement = requirement.map(str::parse).transpose();
    let requirement = requirement.map_err(|error| wrong(format!("{error}")))?;
    Ok((name, requirement))
}
