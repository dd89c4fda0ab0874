//! `wake ls`

use std::io::Write;

use crate::args::LsArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Prints each package and the modules that can be built from it.
pub(crate) fn run(args: &LsArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let here = ["...".into()];
    let targets = if args.targets.is_empty() { &here[..] } else { &args.targets };
    let packages = session::open(settings)?.ls(targets)?;
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
