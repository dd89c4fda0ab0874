//! `wake ls`

use std::io::Write;

use wake_build::ListingDepth;
use wake_steps::diagnostic::Class;

use crate::args::LsArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Prints each package and the modules that can be built from it.
pub(crate) fn run(args: &LsArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let depth = if args.all { ListingDepth::Parts } else { ListingDepth::Modules };
    let packages = match args.targets.as_slice() {
        // In a package without packages below it, list that package, as `wake build` does.
        [] => session.ls(&["...".into()], depth).or_else(|failure| match failure.class() {
            Class::Nothing => session.ls(&[], depth),
            _ => Err(failure),
        })?,
        targets => session.ls(targets, depth)?,
    };
    if args.json {
        return print::json(&packages, out);
    }
    let style = settings.manner.style;
    for package in &packages {
        let name = format!("{}@{}", package.name, package.version);
        let name = style.paint(Role::Faint, escape::line(&name));
        writeln!(out, "{}  {name}", style.paint(Role::Strong, escape::line(&package.label)))?;
        for module in &package.modules {
            writeln!(out, "  {}:{}", escape::line(&package.label), escape::line(module))?;
        }
    }
    Ok(Exit::SUCCESS)
}
