//! `wake log --formulas`: the records of formulas, which belong to the store and to no checkout.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use wake_formula::Dialect;
use wake_steps::diagnostic::{Class, Diagnostic};

use super::formula_run::FormulaRun;
use crate::args::LogArgs;
use crate::clock;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::words;

/// Lists records, or prints the one whose guid begins as asked.
pub(crate) fn run(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let runs = FormulaRun::all(&session::store(settings)?);
    match &args.run {
        Some(prefix) => one(prefix, &runs, out),
        None if args.json => {
            print::json(&runs.iter().map(FormulaRun::json).collect::<Vec<_>>(), out)
        }
        None => {
            for run in &runs {
                writeln!(out, "{}", line(run, settings.manner.style))?;
            }
            Ok(Exit::Success)
        }
    }
}

fn one(prefix: &str, runs: &[FormulaRun], out: &mut impl Write) -> Outcome {
    let mut fitting = runs.iter().filter(|run| run.record.guid.starts_with(prefix));
    let (class, message) = match (fitting.next(), fitting.next()) {
        (Some(run), None) => {
            writeln!(out, "{}", run.record.to_json(Dialect::Repeatr))?;
            return Ok(Exit::Success);
        }
        (Some(_), Some(_)) => {
            (Class::Usage, format!("more than one record begins with `{prefix}`"))
        }
        (None, _) => (Class::Nothing, format!("no record begins with `{prefix}`")),
    };
    Err(Diagnostic::error(class, message).help("`wake log --formulas` lists them").into())
}

fn line(run: &FormulaRun, style: Style) -> String {
    let record = &run.record;
    let began = UNIX_EPOCH + Duration::from_millis(run.began_ms);
    let ago = words::ago(clock::since(began));
    let (role, word) = match record.exit_code {
        0 => (Role::Good, "ok".to_owned()),
        code => (Role::Bad, format!("failed {code}")),
    };
    let word = style.paint(role, format_args!("{word:<10}"));
    let (guid, id) = (escape::line(&record.guid), escape::line(&record.formula_id));
    format!("{guid}  {ago:<12}  {word}  {id}")
}
