//! `wake ls`

use std::io::Write;

use crate::args::LsArgs;
use crate::exit::{Exit, Outcome};
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Prints each package and the modules that can be built from it.
pub(crate) fn run(args: &LsArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let here = ["...".to_owned()];
    let targets = if args.targets.is_empty() { &here[..] } else { &args.targets };
    let packages = session::ls(settings, targets)?;
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &packages).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(Exit::Success);
    }
    let style = settings.manner.style;
    for package in &packages {
        let name = style.paint(Role::Faint, escape::line(&package.key));
        writeln!(out, "{}  {name}", style.paint(Role::Strong, escape::line(&package.label)))?;
        for module in &package.modules {
            writeln!(out, "  {}:{}", escape::line(&package.label), escape::line(module))?;
        }
    }
    Ok(Exit::Success)
}
