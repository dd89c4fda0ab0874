//! `wake plan`

use std::io::Write;

use crate::args::PlanArgs;
use crate::exit::{Exit, Outcome};
use crate::report::summary::list;
use crate::selection;
use crate::session::{self, Foreseen, PlannedStep};
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::width::{columns, pad};
use crate::terminal::words;

/// Prints what a build would do with each step, and why.
pub(crate) fn run(args: &PlanArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let configs = selection::configs(&args.selection.config)?;
    let mut steps = session::plan(settings, &args.selection.targets, configs)?;
    let totals = totals(&steps);
    if args.changed_only {
        steps.retain(|step| step.state != Foreseen::Hit);
    }
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &steps).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(Exit::Success);
    }
    let room = steps.iter().map(|step| columns(&escape::line(&step.label))).max().unwrap_or(0);
    for step in &steps {
        writeln!(out, "{}", line(step, room, settings))?;
    }
    writeln!(out, "{totals}")?;
    Ok(Exit::Success)
}

fn line(step: &PlannedStep, room: usize, settings: &Settings) -> String {
    let style = settings.manner.style;
    let (role, word) = match step.state {
        Foreseen::Hit => (Role::Faint, "hit"),
        Foreseen::Run => (Role::Good, "run"),
        Foreseen::Unknown => (Role::Caution, "unknown"),
    };
    let label = pad(&escape::line(&step.label), room);
    let usual = step.usual_ms.filter(|_| step.state != Foreseen::Hit);
    let usual = usual.map_or_else(String::new, |ms| format!(" (usual {})", words::span_ms(ms)));
    let reason = match step.state {
        Foreseen::Unknown if step.reason.is_empty() => {
            format!("depends on what comes of {}", list(&step.needs, 3))
        }
        _ => escape::line(&step.reason).into_owned(),
    };
    format!("{} {label}  {reason}{usual}", style.paint(role, format_args!("{word:<7}")))
}

fn totals(steps: &[PlannedStep]) -> String {
    let count = |state| steps.iter().filter(|step| step.state == state).count();
    format!(
        "{}: {} remembered, {} to run, {} unknown",
        words::count(steps.len(), "step"),
        count(Foreseen::Hit),
        count(Foreseen::Run),
        count(Foreseen::Unknown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_totals() {
        let step = |label: &str, state, reason: &str, needs: &[&str], usual_ms| PlannedStep {
            label: label.into(),
            state,
            reason: reason.into(),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            usual_ms,
        };
        let steps = [
            step("//lex:lex", Foreseen::Hit, "remembered", &[], Some(90)),
            step("//web:bundle", Foreseen::Run, "changed inputs a.ts", &[], Some(12_400)),
            step("//docs:site", Foreseen::Unknown, "", &["//web:bundle"], None),
        ];
        let settings = crate::settings::for_tests(std::path::Path::new("/"));
        let lines: Vec<String> = steps.iter().map(|step| line(step, 12, &settings)).collect();
        assert_eq!(
            lines,
            [
                "hit     //lex:lex     remembered",
                "run     //web:bundle  changed inputs a.ts (usual 12.4s)",
                "unknown //docs:site   depends on what comes of //web:bundle",
            ]
        );
        assert_eq!(totals(&steps), "3 steps: 1 remembered, 1 to run, 1 unknown");
    }
}
