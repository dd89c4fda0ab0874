//! `wake info`, `wake search` and `wake vendor`

use std::io::Write;

use wake_build::{FoundPkg, PkgAccount, SearchResult};
use wake_model::PkgName;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::{InfoArgs, SearchArgs, VendorArgs};
use crate::command::registry;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::print;
use crate::report;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Prints what a registry knows about a version of a package.
pub(crate) fn info(args: &InfoArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let (name, version) = match args.package.contains('@') {
        true => registry::parse(&args.package).map(|(name, version)| (name, Some(version)))?,
        false => (named(&args.package)?, None),
    };
    let session = session::open(settings)?;
    let account = session.account(&name, version.as_ref(), &*session::cancel()?);
    let account = session::after_warnings(&session, settings, account)?;
    if args.json {
        return print::json(&account, out);
    }
    let heading = format!("{} {}", account.name, account.version);
    writeln!(out, "{}", settings.manner.style.paint(Role::Strong, escape::line(&heading)))?;
    for (key, value) in facts(&account) {
        writeln!(out, "  {key:<12}{}", escape::line(&value))?;
    }
    Ok(Exit::SUCCESS)
}

/// Returns the facts about a package, one per line.
fn facts(account: &PkgAccount) -> Vec<(&'static str, String)> {
    let PkgAccount { registry, address, files, size, .. } = account;
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
    let files = usize::try_from(*files).unwrap_or(usize::MAX);
    let all = [
        ("about", account.description.clone()),
        ("use", account.usage.clone()),
        ("yanked", account.yanked.clone()),
        ("gone", account.gone.clone()),
        ("license", account.license.clone()),
        ("homepage", account.homepage.clone()),
        ("repository", account.repository.clone()),
        ("keywords", list(&account.keywords)),
        ("registry", Some(format!("{registry}, {address}"))),
        ("content", Some(account.content.clone())),
        ("files", Some(format!("{}, {}", words::count(files, "file"), words::bytes(*size)))),
        ("modules", list(&account.modules)),
        ("needs", list(&account.needs)),
        ("versions", list(&account.versions)),
        ("locked", list(&account.locked)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// Prints the packages whose names or descriptions contain all the words.
pub(crate) fn search(args: &SearchArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let SearchResult { found, warnings } =
        session::open(settings)?.search(&args.words, &*session::cancel()?)?;
    for warning in &warnings {
        report::diagnostic::tell(warning, settings.manner);
    }
    if args.json {
        return print::json(&found, out);
    }
    if found.is_empty() {
        let message = format!("no package matches {}", args.words.join(" "));
        return Err(Diagnostic::error(Class::Nothing, message)
            .help("name the namespace if only `*` of `[namespaces]` covers it: `wake search NAMESPACE/WORD`")
            .into());
    }
    for FoundPkg { name, newest, about, .. } in &found {
        let newest = newest.as_ref().map_or_else(String::new, |newest| format!(" {newest}"));
        let about = about.as_ref().map_or_else(String::new, |about| format!("  {about}"));
        let rest = settings.manner.style.paint(Role::Faint, escape::line(&about));
        writeln!(out, "{}{rest}", escape::line(&format!("{name}{newest}")))?;
    }
    Ok(Exit::SUCCESS)
}

/// Writes the packages of the lock to a directory registry.
pub(crate) fn vendor(args: &VendorArgs, settings: &Settings, say: &mut impl Write) -> Outcome {
    let dir = settings.cwd.join(&args.dir);
    let session = session::open(settings)?;
    let transfer = Transfer::of_packages(settings);
    let vendored = session.vendor(&dir, &*session::cancel()?);
    drop(transfer);
    let vendored = session::after_warnings(&session, settings, vendored)?;
    if settings.manner.verbosity > Verbosity::Quiet {
        let style = settings.manner.style;
        for pkg in &vendored {
            writeln!(say, "{}", style.verb(Role::Good, "Vendored", escape::line(pkg)))?;
        }
        let count = words::count(vendored.len(), "package");
        let rest = format!("{count} in {}", args.dir.display());
        writeln!(say, "{}", style.verb(Role::Good, "Finished", escape::line(&rest)))?;
    }
    Ok(Exit::SUCCESS)
}

fn named(text: &str) -> Result<PkgName, Diagnostic> {
    text.parse().map_err(|error| {
        Diagnostic::error(Class::Usage, format!("{error}"))
            .help("write the package as `NAMESPACE/NAME` or `NAMESPACE/NAME@VERSION`")
    })
}
