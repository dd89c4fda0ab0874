//! `wake why`

use std::io::{self, Write};

use wake_build::{NeedLine, PkgReason};
use wake_model::PkgName;
use wake_steps::Steps as _;
use wake_steps::explain::{Why, WhyChange};

use crate::args::WhyArgs;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::selection;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::{formulas, session};

/// Prints why the modules of a target last ran, or would run now.
pub(crate) fn run(args: &WhyArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    if let Some(pkg) = &args.depends {
        return depends(pkg, args.json, settings, out);
    }
    let config = selection::config(&args.config)?;
    let targets = [args.target.clone()];
    let seen = formulas::look_at(&targets, &args.config, settings, |formulas, outlook| {
        formulas.order().iter().map(|&step| outlook.why(step)).collect::<Result<Vec<_>, _>>()
    })?;
    let answers = match seen {
        Some(answers) => answers,
        None => session::told(session::open(settings)?.why(&targets, config.as_ref())?, settings),
    };
    tell_all(&answers, args.json, settings, out)
}

/// Prints answers, with their causes indented.
pub(crate) fn tell_all(
    answers: &[Why],
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    if json {
        return print::json(&answers, out);
    }
    for why in answers {
        tell(why, 0, settings.manner.style, out)?;
    }
    Ok(Exit::SUCCESS)
}

/// Prints the dependency paths that lead to each version of a package.
fn depends(pkg: &PkgName, json: bool, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let reasons = session.why_depends(pkg);
    let reasons = session::after_warnings(&session, settings, reasons)?;
    if json {
        return print::json(&reasons, out);
    }
    let style = settings.manner.style;
    for PkgReason { label, way } in &reasons {
        writeln!(out, "{}", style.paint(Role::Strong, escape::line(label)))?;
        for NeedLine { by, needs, at, .. } in way {
            let at = at.as_ref().map_or_else(String::new, |at| format!("  at {at}"));
            writeln!(out, "  {}", escape::line(&format!("{by} needs {needs}{at}")))?;
        }
    }
    Ok(Exit::SUCCESS)
}

/// Prints a module's answer, then those of the modules that caused it, indented.
pub(crate) fn tell(why: &Why, depth: usize, style: Style, out: &mut impl Write) -> io::Result<()> {
    let lead = if depth == 0 { String::new() } else { format!("{}because ", margin(depth)) };
    writeln!(out, "{lead}{}", style.paint(Role::Strong, escape::line(&why.summary)))?;
    for change in &why.changes {
        writeln!(out, "{}{}", margin(depth + 1), line(change, style))?;
        if let Some(because) = &change.because {
            tell(because, depth + 2, style, out)?;
        }
    }
    if !why.changes.is_empty() && why.unchanged > 0 {
        let text = format!("unchanged: {} other fields", why.unchanged);
        writeln!(out, "{}{}", margin(depth + 1), style.paint(Role::Faint, text))?;
    }
    Ok(())
}

fn line(change: &WhyChange, style: Style) -> String {
    let arrow = style.glyph("→", "->");
    let (word, values) = match (&change.old, &change.new) {
        (Some(old), Some(new)) => {
            ("changed", format!("  {} {arrow} {}", escape::line(old), escape::line(new)))
        }
        (None, Some(new)) => ("added", format!("  {}", escape::line(new))),
        (Some(old), None) => ("removed", format!("  {}", escape::line(old))),
        (None, None) => ("waits for", String::new()),
    };
    let place = change.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!("  at {}", escape::line(place)));
    format!("{} {}{values}{place}", style.paint(Role::Caution, word), escape::line(&change.field))
}

fn margin(depth: usize) -> String {
    "  ".repeat(depth)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn change(field: &str, old: Option<&str>, new: Option<&str>) -> WhyChange {
        WhyChange {
            field: field.into(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            place: None,
            because: None,
        }
    }

    #[test]
    fn a_change_is_traced_to_its_cause() {
        let flags = WhyChange {
            place: Some("config/release.libsonnet:22:14".into()),
            ..change("env.CFLAGS", Some("-O2"), Some("-O3"))
        };
        let llvm = Why {
            label: "//llvm:lib".into(),
            summary: "//llvm:lib ran".into(),
            changes: vec![flags],
            unchanged: 40,
        };
        let lib = WhyChange {
            because: Some(Box::new(llvm)),
            ..change("inputs.modules.llvm", Some("91ac"), Some("3d07"))
        };
        let why = Why {
            label: "//compiler:core".into(),
            summary: "//compiler:core ran".into(),
            changes: vec![lib, change("env.X\x1b[2J", None, Some("1"))],
            unchanged: 4118,
        };
        let mut out = Vec::new();
        tell(&why, 0, Style { color: false, unicode: false }, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "//compiler:core ran
  changed inputs.modules.llvm  91ac -> 3d07
    because //llvm:lib ran
      changed env.CFLAGS  -O2 -> -O3  at config/release.libsonnet:22:14
      unchanged: 40 other fields
  added env.X\\x1b[2J  1
  unchanged: 4118 other fields
"
        );
    }
}
