//! `wake plan`

mod formula;

pub(crate) use formula::not_written;

use std::io::Write;

use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::explain::{PlannedState, PlannedStep};

use crate::args::{PlanArgs, PlanFormat};
use crate::exit::Outcome;
use crate::print;
use crate::selection;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::width::{columns, pad};
use crate::terminal::words;
use crate::{formulas, session};

/// Prints what a build would do with each step, and why.
pub(crate) fn run(args: &PlanArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    if args.format == PlanFormat::Formula {
        return formula::run(args, settings, out);
    }
    if args.warehouse.is_some() {
        let message = "`--warehouse` requires `--format formula`";
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    let config = selection::config(&args.selection.config)?;
    let targets = &args.selection.targets;
    let seen =
        formulas::look_at(targets, &args.selection.config, settings, |_, outlook| outlook.plan())?;
    let mut steps = match seen {
        Some(steps) => steps,
        None => session::told(session::open(settings)?.plan(targets, config.as_ref())?, settings),
    };
    let totals = totals(&steps);
    if args.changed_only {
        steps.retain(|step| step.state != PlannedState::Hit);
    }
    if args.json || args.format == PlanFormat::Json {
        return print::json(&steps, out);
    }
    told(&steps, totals, settings, out)
}

/// Prints planned steps with their totals.
pub(crate) fn tell(
    steps: &[PlannedStep],
    json: bool,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    match json {
        true => print::json(&steps, out),
        false => told(steps, totals(steps), settings, out),
    }
}

fn told(
    steps: &[PlannedStep],
    totals: String,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let room = steps.iter().map(|step| columns(&escape::line(&step.label))).max().unwrap_or(0);
    let lines = steps.iter().map(|step| line(step, room, settings));
    print::lines(lines.chain([totals]), out)
}

fn line(step: &PlannedStep, room: usize, settings: &Settings) -> String {
    let style = settings.manner.style;
    let (role, word) = match step.state {
        PlannedState::Hit => (Role::Faint, "hit"),
        PlannedState::Run => (Role::Good, "run"),
        PlannedState::Unknown => (Role::Caution, "unknown"),
    };
    let label = pad(&escape::line(&step.label), room);
    let usual = step.usual_ms.filter(|_| step.state != PlannedState::Hit);
    let usual = usual.map_or_else(String::new, |ms| format!(" (usual {})", words::span_ms(ms)));
    let reason = escape::line(&step.reason);
    format!("{} {label}  {reason}{usual}", style.paint(role, format_args!("{word:<7}")))
}

fn totals(steps: &[PlannedStep]) -> String {
    let count = |state| steps.iter().filter(|step| step.state == state).count();
    format!(
        "{}: {} cached, {} to run, {} unknown",
        words::count(steps.len(), "step"),
        count(PlannedState::Hit),
        count(PlannedState::Run),
        count(PlannedState::Unknown)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_totals() {
        let step = |label: &str, state, reason: &str, usual_ms| PlannedStep {
            id: 0,
            label: label.into(),
            state,
            reason: reason.into(),
            key: None,
            needs: Vec::new(),
            usual_ms,
        };
        let steps = [
            step("//lex:lex", PlannedState::Hit, "remembered", Some(90)),
            step("//web:bundle", PlannedState::Run, "changed inputs a.ts", Some(12_400)),
            step("//docs:site", PlannedState::Unknown, "waits for //web:bundle", None),
        ];
        let settings = crate::settings::tests::quiet(std::path::Path::new("/"));
        let lines: Vec<String> = steps.iter().map(|step| line(step, 12, &settings)).collect();
        assert_eq!(
            lines,
            [
                "hit     //lex:lex     remembered",
                "run     //web:bundle  changed inputs a.ts (usual 12.4s)",
                "unknown //docs:site   waits for //web:bundle",
            ]
        );
        assert_eq!(totals(&steps), "3 steps: 1 cached, 1 to run, 1 unknown");
    }
}
