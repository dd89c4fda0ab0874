//! `wake tree`

use std::io::Write;

use wake_build::PkgNode;

use crate::args::TreeArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// Prints the package dependency tree.
pub(crate) fn run(args: &TreeArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let packages = match args.targets.as_slice() {
        [] => session.tree(&["//...".into()])?,
        targets => session.tree(targets)?,
    };
    if args.json {
        return print::json(&packages, out);
    }
    for package in &packages {
        show(package, 0, settings, out)?;
    }
    Ok(Exit::SUCCESS)
}

fn show(
    node: &PkgNode,
    depth: usize,
    settings: &Settings,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let style = settings.manner.style;
    let PkgNode { key, label, global, requirement, version, needs, repeated, overrides } = node;
    let label = label.as_deref().unwrap_or("(no package)");
    // Labels of packages in the store already contain the version.
    let version = version.as_ref().filter(|version| !label.ends_with(&format!("@{version}")));
    let version = version.map_or_else(String::new, |version| format!(" {version}"));
    let wanted = match (key, requirement) {
        (Some(key), Some(requirement)) => format!("  {key}: {requirement}"),
        _ => String::new(),
    };
    let global = if global.is_some() { "  (global)" } else { "" };
    let again = if *repeated { "  (above)" } else { "" };
    let instead = if *overrides { "  (overrides a published package)" } else { "" };
    let rest = style.paint(Role::Faint, escape::line(&format!("{wanted}{global}{instead}{again}")));
    let indent = "  ".repeat(depth);
    writeln!(out, "{indent}{}{rest}", escape::line(&format!("{label}{version}")))?;
    needs.iter().try_for_each(|need| show(need, depth + 1, settings, out))
}
