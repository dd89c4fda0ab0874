//! `wake log --records`: the records of every command that ran, for modules built here and for formulas.
//!
//! `wake log --formulas` shows only those of formulas, which belong to the store, not to a checkout.

mod record;
mod ids;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Value;
use wake_build::{Session, TargetPattern};
use wake_formula::{Dialect, FormulaRecord};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use super::only;
use super::past::PastRun;
use crate::args::LogArgs;
use crate::clock;
use crate::exit::Outcome;
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::words;
use record::Record;

/// The help that tells how to list all records.
const LISTS_ALL: &str = "run `wake log --records` to list the records";

/// Lists the records, or prints the requested one.
pub(super) fn run(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let session = session::open(settings)?;
    let mut records = of_formulas(session.store());
    records.extend(PastRun::all(&session.state_dir()).flat_map(|past| Record::all_in(&past)));
    sort(&mut records);
    match &args.run {
        Some(asked) => match find(records, asked, &session)? {
            record if record.formula.is_some() => whole(&record.record(), out),
            record if args.ids => whole(&ids::complete(&record, &session)?, out),
            record => print::json(&Brief::of(&record.record()), out),
        },
        None if args.ids => {
            let message = "`--ids` works for one record at a time: name one";
            Err(Diagnostic::error(Class::Usage, message).help(LISTS_ALL).into())
        }
        None => list(&records, args, out, |record| {
            let wall = words::span_ms(record.finished.dur_ms);
            let what = match &record.formula {
                Some(id) => format!("formula {}", escape::line(id)),
                None => escape::line(&record.finished.label).into_owned(),
            };
            line(record, settings.manner.style, &format!("{wall:>7}  {what}"))
        }),
    }
}

/// Lists the records of formulas, or prints the requested one.
pub(super) fn formulas(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let mut records = of_formulas(&session::store(settings)?);
    let Some(prefix) = &args.run else {
        sort(&mut records);
        return list(&records, args, out, |record| {
            let id = escape::line(record.formula.as_deref().unwrap_or_default());
            line(record, settings.manner.style, &id)
        });
    };
    records.retain(|record| record.execution.guid.starts_with(prefix));
    let record = only(records, "record", prefix, "run `wake log --formulas` to list the records")?;
    whole(&record.record(), out)
}

fn of_formulas(store: &Store) -> Vec<Record> {
    PastRun::all(&store.outside_dir()).flat_map(|past| Record::all_in(&past)).collect()
}

/// Sorts records, oldest first.
fn sort(records: &mut [Record]) {
    let rank = |record: &Record| (record.execution.began_ms, record.execution.guid.clone());
    // Guids from the same millisecond sort by time.
    records.sort_by_cached_key(rank);
}

/// Returns a record's label without the configuration.
fn module_of(record: &Record) -> &str {
    let label = &record.finished.label;
    let space = label.find(':').and_then(|colon| Some(colon + label[colon..].find(' ')?));
    &label[..space.unwrap_or(label.len())]
}

/// Returns the record whose guid has this prefix, or the last record of the module.
fn find(mut records: Vec<Record>, asked: &str, session: &Session) -> Result<Record, Diagnostic> {
    if asked != "." && !asked.contains([':', '/']) {
        records.retain(|record| record.execution.guid.starts_with(asked));
        return only(records, "record", asked, LISTS_ALL);
    }
    let scope = TargetPattern::from(asked).scope(&session.workspace)?;
    records.retain(|record| scope.contains(&record.finished.label));
    // The default configuration has the same label as the module.
    let is_default = |record: &Record| module_of(record).len() == record.finished.label.len();
    if records.iter().any(is_default)
        && let [first, others @ ..] = &*records
        && others.iter().all(|other| module_of(other) == module_of(first))
    {
        records.retain(is_default);
    }
    let (class, message) = match records.pop() {
        Some(last) if records.iter().all(|it| it.finished.label == last.finished.label) => {
            return Ok(last);
        }
        Some(_) => (Class::Usage, format!("`{asked}` matches more than one module")),
        None => (Class::Nothing, format!("no build in this workspace ran `{asked}`")),
    };
    Err(Diagnostic::error(class, message).help(LISTS_ALL))
}

fn whole(record: &FormulaRecord, out: &mut impl Write) -> Outcome {
    print::line(record.to_json(Dialect::Repeatr), out)
}

fn list(
    records: &[Record],
    args: &LogArgs,
    out: &mut impl Write,
    line: impl Fn(&Record) -> String,
) -> Outcome {
    let json = |record: &Record| match &record.formula {
        Some(_) => serde_json::from_str(&record.record().to_json(Dialect::Repeatr)),
        None => serde_json::to_value(Brief::of(&record.record())),
    };
    match args.json {
        true => {
            let shown: Vec<Value> =
                records.iter().map(|record| json(record).unwrap_or_default()).collect();
            print::json(&shown, out)
        }
        false => print::lines(records.iter().map(line), out),
    }
}

/// The part of a record that needs no computed ids, with the fields in the order of a complete record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Brief<'a> {
    guid: &'a str,
    time: i64,
    exit_code: i32,
    metadata: &'a BTreeMap<String, String>,
}

impl Brief<'_> {
    fn of(record: &FormulaRecord) -> Brief<'_> {
        let FormulaRecord { guid, time, exit_code, metadata, .. } = record;
        Brief { guid, time: *time, exit_code: *exit_code, metadata }
    }
}

/// Formats the guid, age and outcome of a record, followed by `rest`.
fn line(record: &Record, style: Style, rest: &str) -> String {
    let began = UNIX_EPOCH + Duration::from_millis(record.execution.began_ms);
    let ago = words::ago(clock::since(began));
    let (role, word) = match record.exit_code() {
        0 => (Role::Good, "ok".to_owned()),
        code => (Role::Bad, format!("failed {code}")),
    };
    let word = style.paint(role, format_args!("{word:<10}"));
    format!("{}  {ago:<12}  {word}  {rest}", escape::line(&record.execution.guid))
}
