//! `wake log --formulas`: the records of formulas, which belong to the store and to no checkout.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use wake_build::diagnostic::{Class, Diagnostic};
use wake_build::store::Store;
use wake_formula::RunRecord;

use crate::args::LogArgs;
use crate::clock;
use crate::exit::{Exit, Outcome};
use crate::print;
use crate::session::{self, store_fault};
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::{Role, Style};
use crate::terminal::words;

/// Lists records, or prints the one whose guid begins as asked.
pub(crate) fn run(args: &LogArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let store = session::store(settings)?;
    let guids = store.runs().map_err(store_fault)?;
    match &args.run {
        Some(prefix) => one(prefix, &guids, &store, out),
        None => all(args.json, &guids, &store, settings.manner.style, out),
    }
}

fn one(prefix: &str, guids: &[String], store: &Store, out: &mut impl Write) -> Outcome {
    let mut fitting = guids.iter().filter(|guid| guid.starts_with(prefix));
    let (found, more) = (fitting.next(), fitting.next());
    let guid = match (found, more) {
        (Some(guid), None) => guid,
        (Some(_), Some(_)) => {
            let message = format!("more than one record begins with `{prefix}`");
            return Err(Diagnostic::error(Class::Usage, message)
                .help("`wake log --formulas` lists them")
                .into());
        }
        (None, _) => {
            let message = format!("no record begins with `{prefix}`");
            return Err(Diagnostic::error(Class::Nothing, message)
                .help("`wake log --formulas` lists them")
                .into());
        }
    };
    let text = store.run(guid).map_err(store_fault)?.unwrap_or_default();
    writeln!(out, "{text}")?;
    Ok(Exit::Success)
}

fn all(
    as_json: bool,
    guids: &[String],
    store: &Store,
    style: Style,
    out: &mut impl Write,
) -> Outcome {
    let mut texts = Vec::new();
    for guid in guids {
        // Another process may just have dropped it as the oldest.
        texts.extend(store.run(guid).map_err(store_fault)?);
    }
    if as_json {
        let records: Vec<Value> =
            texts.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        return print::json(&records, out);
    }
    for text in &texts {
        if let Ok(record) = RunRecord::parse(text, "record") {
            writeln!(out, "{}", line(&record, style))?;
        }
    }
    Ok(Exit::Success)
}

fn line(record: &RunRecord, style: Style) -> String {
    let began = UNIX_EPOCH + Duration::from_secs(record.time.unsigned_abs());
    let ago = words::ago(clock::since(began));
    let (role, word) = match record.exit_code {
        0 => (Role::Good, "ok".to_owned()),
        code => (Role::Bad, format!("failed {code}")),
    };
    let word = style.paint(role, format_args!("{word:<10}"));
    let (guid, id) = (escape::line(&record.guid), escape::line(&record.formula_id));
    format!("{guid}  {ago:<12}  {word}  {id}")
}
