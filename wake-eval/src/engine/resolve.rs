//! Resolution of references relative to the code that uses them.

use std::fmt;

use jrsonnet_evaluator::Result;
use serde_json::Value;
use wake_model::nearest::nearest;
use wake_model::reflike::{HEADS, ReflikeError};
use wake_model::{Reflike, RelPath};

use super::env::{Env, Phase};
use super::json::json_kind;
use super::note::{Nature, Note, Origin, amend};
use super::promise;
use super::reference::{Reference, WrittenReference};
use super::world::{Instance, PathKind, Text};
use crate::EntryKind;

/// What a reference names.
pub(crate) enum Referent {
    /// This value.
    Now(Value),
    /// Something that does not exist yet.
    Later,
}

/// Parses a reference.
pub(crate) fn parse(written: WrittenReference) -> Result<Reference> {
    match written.parse() {
        Ok(reflike) => Ok(Reference { written, reflike }),
        Err(error) => Err(unresolved(&written, malformed(&error)).into()),
    }
}

/// Resolves a reference.
pub(crate) fn resolve(env: &Env, reference: &Reference) -> Result<Referent> {
    named(env, &reference.reflike).map_err(|error| {
        amend(error, |note| match note.nature {
            Nature::User => unresolved(&reference.written, note),
            _ => note,
        })
    })
}

/// Resolves a promise, now that everything exists.
pub(crate) fn fill(env: &Env, reference: &Reference) -> Result<Value> {
    let written = &reference.written;
    match resolve(env, reference)? {
        Referent::Now(value) => Ok(value),
        Referent::Later => Err(Note::new(format!("`{written}` is not known yet"))
            .hint(promise::MOVE)
            .origin(Origin::Reference(written.clone()))
            .into()),
    }
}

/// Creates the file object of `path`.
pub(crate) fn file_object(path: &str) -> Value {
    serde_json::json!({"type": "file", "path": path, "from": null, "dump": false})
}

/// Turns a note into one that says why a reference cannot be resolved.
fn unresolved(written: &WrittenReference, note: Note) -> Note {
    let message = format!("cannot resolve `{written}`: {}", note.message);
    Note { message, ..note }.origin(Origin::Reference(written.clone()))
}

fn malformed(error: &ReflikeError) -> Note {
    let note = Note::new(error.to_string());
    match error {
        ReflikeError::Head(head) => note.suggest(nearest(head, HEADS)),
        ReflikeError::MissingKey(_) | ReflikeError::Path(_) => note,
    }
}

fn named(env: &Env, reflike: &Reflike) -> Result<Referent> {
    match reflike {
        Reflike::File(path) => own_file(env, path),
        Reflike::Input(keys) => input(env, keys),
        Reflike::Output(_) => {
            Err(Note::new("a module's outputs do not exist until it has run").into())
        }
        Reflike::Pkg(..) if env.phase.get() == Phase::Pkg => Ok(Referent::Later),
        Reflike::Pkg(key, onward) => {
            let own = env.own()?;
            dependency(env, &own, key, onward.as_deref()).map(Referent::Now)
        }
        Reflike::Module(key, onward) => module(env, key, onward.as_deref()),
    }
}

fn own_file(env: &Env, path: &RelPath) -> Result<Referent> {
    let dotted = path.dotted();
    if env.own.borrow().is_none() {
        return match env.world.entry(path)? {
            Some(EntryKind::Dir) => Ok(Referent::Now(file_object(&format!("{dotted}/")))),
            Some(_) => Ok(Referent::Now(file_object(&dotted))),
            None => Err(Note::new("there is no such file").into()),
        };
    }
    if env.created.borrow().contains(&dotted) {
        return Ok(Referent::Now(file_object(&dotted)));
    }
    let own = env.own()?;
    match own.holds(&dotted)? {
        Some(PathKind::File) => Ok(Referent::Now(file_object(&dotted))),
        Some(PathKind::Dir) => Ok(Referent::Now(file_object(&format!("{dotted}/")))),
        None if env.phase.get() == Phase::ModuleBody => Ok(Referent::Later),
        None => Err(no_file(own.files()?, &dotted, "the package's `files`").into()),
    }
}

fn no_file(files: &[Text], path: &str, what: &str) -> Note {
    let near = nearest(path, files.iter().map(|file| &**file)).map(str::to_owned);
    Note::new(format!("`{path}` is not in {what}")).suggest(near.as_deref())
}

fn input(env: &Env, keys: &[String]) -> Result<Referent> {
    match env.phase.get() {
        Phase::Pkg => {
            return Err(Note::new("inputs are not known while `PKG.libsonnet` is evaluated")
                .hint("move the expression into `inputs=function(wake, pkg) ...`")
                .into());
        }
        Phase::PkgInputs => {
            return Err(Note::new("`inputs` cannot refer to itself").into());
        }
        Phase::ModuleBody
        | Phase::ModuleInputs
        | Phase::ModuleFiles
        | Phase::ModuleOutputs
        | Phase::ModuleExec => {}
    }
    let own = env.own()?;
    let has = |value: &Value| keys.first().is_some_and(|key| value.get(key).is_some());
    if let Some(inputs) = env.module_inputs.borrow().as_ref().filter(|inputs| has(inputs)) {
        return walk(inputs, keys, format_args!("inputs")).map(Referent::Now);
    }
    if env.phase.get() == Phase::ModuleBody && !has(own.inputs()?) {
        return Ok(Referent::Later);
    }
    walk(own.inputs()?, keys, format_args!("inputs")).map(Referent::Now)
}

fn dependency(env: &Env, from: &Instance, key: &str, onward: Option<&Reflike>) -> Result<Value> {
    let pkgs = from.pkgs()?;
    let Some(id) = pkgs.get(key) else {
        return Err(absent("pkgs", key, pkgs.keys().map(String::as_str)).into());
    };
    let instance = env.instance(id)?;
    match onward {
        None => instance.reference(),
        Some(Reflike::File(path)) => outside_file(&instance, key, path),
        Some(Reflike::Input(keys)) => {
            walk(instance.inputs()?, keys, format_args!("pkgs.{key}.inputs"))
        },
        Some(Reflike::Pkg(next, onward)) => dependency(env, &instance, next, onward.as_deref()),
        Some(Reflike::Output(_)) => {
            Err(Note::new(format!("`pkgs.{key}` is a package, and only modules have outputs")).into())
        }
        Some(Reflike::Module(name, _)) => Err(Note::new(format!("`pkgs.{key}` is a package, and a reference cannot name one of its modules"))
            .hint(format!("add `{name}: pkg.pkgs.{key}.modules.{name}(config)` to `modules`, and refer to `modules.{name}`"))
            .into()),
    }
}

fn outside_file(instance: &Instance, key: &str, path: &RelPath) -> Result<Value> {
    let full = format!("{}/{path}", instance.outside());
    match instance.holds(&full)? {
        Some(PathKind::File) => Ok(file_object(&full)),
        Some(PathKind::Dir) => Ok(file_object(&format!("{}/", full.trim_end_matches('/')))),
        None => {
            let prefix = format!("{}/", instance.outside());
            let short: Vec<String> = instance
                .files()?
                .iter()
                .filter_map(|file| file.strip_prefix(prefix.as_str()))
                .map(|file| format!("./{file}"))
                .collect();
            let dotted = path.dotted();
            let near = nearest(&dotted, short.iter().map(String::as_str));
            Err(Note::new(format!("`{dotted}` is not in the `files` of `pkgs.{key}`"))
                .suggest(near)
                .into())
        }
    }
}

fn module(env: &Env, key: &str, onward: Option<&Reflike>) -> Result<Referent> {
    match env.phase.get() {
        Phase::Pkg | Phase::PkgInputs => {
            return Err(Note::new(
                "a package cannot refer to modules, because they are built from packages",
            )
            .into());
        }
        Phase::ModuleBody => return Ok(Referent::Later),
        Phase::ModuleInputs | Phase::ModuleFiles | Phase::ModuleOutputs | Phase::ModuleExec => {}
    }
    let modules = env.modules.borrow();
    let Some(id) = modules.get(key) else {
        return Err(absent("modules", key, modules.keys().map(String::as_str)).into());
    };
    let instance = env.module(id)?;
    let part = |name: &str, keys: &[String]| {
        let value = instance.get(name).unwrap_or(&Value::Null);
        walk(value, keys, format_args!("modules.{key}.{name}"))
    };
    match onward {
        None => Ok(Referent::Now(module_reference(id.value(), &instance))),
        Some(Reflike::Input(keys)) => part("inputs", keys).map(Referent::Now),
        Some(Reflike::Output(keys)) => part("outputs", keys).map(Referent::Now),
        Some(Reflike::File(_) | Reflike::Pkg(..) | Reflike::Module(..)) => {
            Err(Note::new(format!("`modules.{key}` has only `inputs` and `outputs`")).into())
        }
    }
}

fn module_reference(id: &Value, instance: &Value) -> Value {
    let mut reference = id.clone();
    if let (Some(fields), Some(id)) =
        (reference.as_object_mut(), instance.get("id").and_then(Value::as_str))
    {
        fields.insert("path".to_owned(), Value::String(format!("./.wake/modules/{id}/")));
    }
    reference
}

/// Follows `keys` into objects and lists; if that fails, says how far it got and what is there.
fn walk(value: &Value, keys: &[String], start: fmt::Arguments<'_>) -> Result<Value> {
    let mut here = value;
    for (passed, key) in keys.iter().enumerate() {
        let next = match here {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        let Some(next) = next else {
            let at = keys[..passed].iter().fold(start.to_string(), |at, key| format!("{at}.{key}"));
            return Err(dead_end(here, &at, key).into());
        };
        here = next;
    }
    Ok(here.clone())
}

/// Returns the error for a lookup of `key` that fails at `at`, in the value `here`.
fn dead_end(here: &Value, at: &str, key: &str) -> Note {
    match here {
        Value::Object(fields) => absent(at, key, fields.keys().map(String::as_str)),
        Value::Array(items) => Note::new(format!(
            "`{at}` is a list of length {} and has no element `{key}`",
            items.len()
        )),
        other => Note::new(format!("`{at}` is {}, which has no `{key}`", json_kind(other))),
    }
}

fn absent<'a>(place: &str, key: &str, there: impl Iterator<Item = &'a str>) -> Note {
    let there: Vec<&str> = there.collect();
    let note =
        Note::new(format!("`{place}` has no `{key}`")).suggest(nearest(key, there.iter().copied()));
    match there.as_slice() {
        [] => note.hint(format!("`{place}` is empty")),
        [..] if there.len() <= 12 => note.hint(format!("`{place}` has {}", quoted(&there))),
        [..] => note,
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
