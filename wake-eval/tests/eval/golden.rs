//! The files of `tests/golden`: `ok-*` with the resulting value, `fail-*` with the complete error message.

use std::path::{Path, PathBuf};

use libtest_mimic::{Failed, Trial};
use serde::Serialize;
use serde::de::Deserialize;
use serde_json::{Number, Value};
use wake_eval::{Kind, Op, Read};
use wake_model::declared::{LateDecl, Module, PackageDecl};

use crate::case::Case;
use crate::{pool, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| trial(name(&path), move || check(&path))).collect()
}

fn name(path: &Path) -> String {
    format!("golden/{}", path.file_stem().unwrap().to_string_lossy())
}

fn check(path: &Path) -> Result<(), Failed> {
    let case = Case::open(path);
    if name(path).starts_with("golden/ok-") { succeeds(&case) } else { fails(&case) }
}

fn succeeds(case: &Case) -> Result<(), Failed> {
    let evaluated = case.run(pool())?;
    let expected: Value = serde_json::from_str(case.section("expect").unwrap_or("null"))?;
    same("value", &pretty(&expected), &pretty(&crate::value(&evaluated)))?;
    match case.op() {
        Op::Pkg => comes_back::<PackageDecl>(evaluated.value.get())?,
        Op::Module { .. } => comes_back::<Module<'_, Value, Value, Value>>(evaluated.value.get())?,
        Op::Modules { .. } => comes_back::<LateDecl>(evaluated.value.get())?,
        Op::Inputs { .. } | Op::Expr { .. } | Op::Locate { .. } => {}
    }
    if let Some(reads) = case.section("reads") {
        let read: Vec<String> = evaluated.reads.iter().map(shown).collect();
        same("reads", reads.trim_end(), &read.join("\n"))?;
    }
    same("trace", case.section("trace").unwrap_or_default().trim_end(), &evaluated.trace.join("\n"))
}

/// Whether the type that other crates parse a result into has exactly the fields that the evaluator writes.
fn comes_back<'a, T: Deserialize<'a> + Serialize>(text: &'a str) -> Result<(), Failed> {
    let mut values = [serde_json::to_value(serde_json::from_str::<T>(text)?)?, text.parse()?];
    values.iter_mut().for_each(normalise);
    same("what is read of it", &pretty(&values[1]), &pretty(&values[0]))
}

/// Removes differences in how a path, a version, a number and an absent field are written.
fn normalise(value: &mut Value) {
    match value {
        Value::String(text) => {
            *text = text.trim_start_matches("./").trim_start_matches('^').to_owned()
        }
        Value::Number(number) => {
            *number = number.as_f64().and_then(Number::from_f64).unwrap_or(number.clone());
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(fields) => {
            // `default` is written only if it is true.
            fields.retain(|name, field| {
                !(field.is_null() || (name == "default" && *field == Value::Bool(false)))
            });
            fields.values_mut().for_each(normalise);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn fails(case: &Case) -> Result<(), Failed> {
    let Err(error) = case.run(pool()) else { return Err("it succeeded".into()) };
    same(
        "error",
        case.section("expect").unwrap_or_default().trim_end(),
        &crate::render::plain(&error),
    )?;
    match error.kind {
        Kind::User => Ok(()),
        Kind::Limit(_) | Kind::Crash => {
            Err(format!("the kind of the error is {:?}", error.kind).into())
        }
    }
}

fn same(what: &str, expected: &str, found: &str) -> Result<(), Failed> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}\n--- expected\n{expected}\n--- found\n{found}").into())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn shown(read: &Read) -> String {
    let absent = |digest: bool| if digest { "" } else { " absent" };
    match read {
        Read::File { path, digest } => format!("file {path}{}", absent(digest.is_some())),
        Read::List { path, digest } => format!("list ./{path}{}", absent(digest.is_some())),
        Read::Import { way, digest } => format!("import {way}{}", absent(digest.is_some())),
        Read::Named { way, digest } => format!("named {way}{}", absent(digest.is_some())),
        Read::Option { name, digest } => format!("option {name}{}", absent(digest.is_some())),
        Read::Pkg { key, digest } => format!("pkg {key}{}", absent(digest.is_some())),
        Read::Module { id, digest } => format!("module {id}{}", absent(digest.is_some())),
    }
}
