//! `wake log --records`: the record of every command that ran, of modules built here and of formulas.

mod module_run;
mod ids;

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use wake_build::{Session, TargetPattern};
use wake_formula::Dialect;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::run_log;

use super::formula_run::FormulaRun;
use super::past::Past;
use crate::args::LogArgs;
use crate::clock;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::words;
use module_run::ModuleRun;

/// One run of a command.
enum Record {
    Module(Box<ModuleRun>),
    Formula(Box<FormulaRun>),
}

/// Lists the records, or prints the one that is asked for.
pub(super) fn run(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let records = all(&session)?;
    match &args.run {
        Some(asked) => {
            let record = find(records, asked, &session)?;
            one(&record, args.ids, &session, out)
        }
        None if args.ids => {
            let message = "`--ids` is computed for one record at a time: name one";
            Err(Diagnostic::error(Class::Usage, message)
                .help("`wake log --records` lists them")
                .into())
        }
        None if args.json => {
            let shown: Vec<Value> = records.iter().map(Record::json).collect();
            print::json(&shown, out)
        }
        None => {
            for record in &records {
                writeln!(out, "{}", record.line(settings.manner.style))?;
            }
            Ok(Exit::Success)
        }
    }
}

/// Every record that is still there, the oldest first.
fn all(session: &Session) -> Result<Vec<Record>, Diagnostic> {
    let mut records = Vec::new();
    for (run, path) in run_log::list(&session.state_dir()) {
        // Another process may just have dropped it as the oldest.
        let Ok(past) = Past::read(run, &path) else { continue };
        records.extend(ModuleRun::all_in(&past).into_iter().map(Box::new).map(Record::Module));
    }
    let formulas = FormulaRun::all(session.store());
    records.extend(formulas.into_iter().map(Box::new).map(Record::Formula));
    // Within a millisecond guids sort by time.
    records.sort_by(|a, b| (a.began_ms(), a.guid()).cmp(&(b.began_ms(), b.guid())));
    Ok(records)
}

/// The record whose guid begins so, or the last one of the module that is meant.
fn find(records: Vec<Record>, asked: &str, session: &Session) -> Result<Record, Diagnostic> {
    let is_target = asked == "." || asked.contains([':', '/']);
    let mut fitting: Vec<Record> = match is_target {
        true => {
            let scope = TargetPattern::from(asked).scope(&session.workspace)?;
            records
                .into_iter()
                .filter(|record| record.label().is_some_and(|label| scope.contains(label)))
                .collect()
        }
        false => records.into_iter().filter(|record| record.guid().starts_with(asked)).collect(),
    };
    let Some(last) = fitting.pop() else {
        let message = match is_target {
            true => format!("no build here ran `{asked}`"),
            false => format!("no record begins with `{asked}`"),
        };
        return Err(
            Diagnostic::error(Class::Nothing, message).help("`wake log --records` lists them")
        );
    };
    let other = fitting.iter().find(|other| !is_target || other.label() != last.label());
    match other {
        None => Ok(last),
        Some(_) if is_target => {
            let message = format!("`{asked}` names more than one module");
            Err(Diagnostic::error(Class::Usage, message).help("`wake log --records` lists them"))
        }
        Some(_) => {
            let message = format!("more than one record begins with `{asked}`");
            Err(Diagnostic::error(Class::Usage, message).help("`wake log --records` lists them"))
        }
    }
}

fn one(record: &Record, ids: bool, session: &Session, out: &mut impl Write) -> Outcome {
    match record {
        Record::Formula(run) => writeln!(out, "{}", run.record.to_json(Dialect::Repeatr))?,
        Record::Module(run) if ids => {
            let text = ids::complete(run, session)?.to_json(Dialect::Repeatr);
            writeln!(out, "{text}")?;
        }
        Record::Module(run) => return print::json(&run.brief(), out),
    }
    Ok(Exit::Success)
}

impl Record {
    fn guid(&self) -> &str {
        match self {
            Record::Module(run) => &run.execution.guid,
            Record::Formula(run) => &run.record.guid,
        }
    }

    fn began_ms(&self) -> u64 {
        match self {
            Record::Module(run) => run.execution.began_ms,
            Record::Formula(run) => run.began_ms,
        }
    }

    fn label(&self) -> Option<&str> {
        match self {
            Record::Module(run) => Some(&run.finished.label),
            Record::Formula(run) => Some(&run.label),
        }
    }

    fn exit_code(&self) -> i32 {
        match self {
            Record::Module(run) => run.exit_code(),
            Record::Formula(run) => run.record.exit_code,
        }
    }

    fn wall_ms(&self) -> u64 {
        match self {
            Record::Module(run) => run.finished.dur_ms,
            Record::Formula(run) => run.wall_ms,
        }
    }

    fn json(&self) -> Value {
        match self {
            Record::Module(run) => serde_json::to_value(run.brief()).unwrap_or_default(),
            Record::Formula(run) => run.json(),
        }
    }

    fn line(&self, style: Style) -> String {
        let began = UNIX_EPOCH + Duration::from_millis(self.began_ms());
        let ago = words::ago(clock::since(began));
        let (role, word) = match self.exit_code() {
            0 => (Role::Good, "ok".to_owned()),
            code => (Role::Bad, format!("failed {code}")),
        };
        let word = style.paint(role, format_args!("{word:<10}"));
        let wall = words::span_ms(self.wall_ms());
        let what = match self {
            Record::Module(run) => escape::line(&run.finished.label).into_owned(),
            Record::Formula(run) => format!("formula {}", escape::line(&run.record.formula_id)),
        };
        format!("{}  {ago:<12}  {word}  {wall:>7}  {what}", escape::line(self.guid()))
    }
}
