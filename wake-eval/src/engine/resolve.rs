//! References: what they name, from where the asking code stands.

use std::fmt;

use jrsonnet_evaluator::{Result, Val};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wake_model::nearest::nearest;
use wake_model::reflike::{HEADS, ReflikeError};
use wake_model::{Reflike, RelPath};

use super::convert::json_kind;
use super::env::{Env, Phase};
use super::instance::{Held, Instance, Text};
use super::note::{Nature, Note, Origin, amend};
use super::promise;
use crate::sources::{EntryKind, ListEntry};

/// A reference as it was written: one text, or a list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Written {
    Text(String),
    List(Vec<String>),
}

/// A reference, and where it leads.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) written: Written,
    reflike: Reflike,
}

/// What a reference names.
pub(crate) enum Named {
    /// This value.
    Now(Value),
    /// Something that does not exist yet.
    Later,
}

impl Written {
    /// The reference that `value` is, if it has the form of one: a text, or a list that starts as a reference does.
    pub(crate) fn of(value: &Val) -> Result<Option<Written>> {
        match value {
            Val::Str(text) => Ok(Some(Written::Text(text.into_flat().as_str().to_owned()))),
            Val::Arr(items) => {
                let mut parts = Vec::with_capacity(items.len().min(8) as usize);
                for item in items.iter() {
                    let Val::Str(part) = item? else { return Ok(None) };
                    parts.push(part.into_flat().as_str().to_owned());
                }
                let starts = parts.first().is_some_and(|head| HEADS.contains(&head.as_str()))
                    || (parts.len() == 1 && parts[0].starts_with("./"));
                Ok(starts.then_some(Written::List(parts)))
            }
            _ => Ok(None),
        }
    }

    fn parse(&self) -> std::result::Result<Reflike, ReflikeError> {
        match self {
            Written::Text(text) => text.parse(),
            Written::List(parts) => Reflike::from_parts(parts),
        }
    }

    /// A note that says of this what keeps it from being resolved.
    fn unresolved(&self, note: Note) -> Note {
        let message = format!("cannot resolve `{self}`: {}", note.message);
        Note { message, ..note }.origin(Origin::Reference(self.clone()))
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Text(text) => f.write_str(text),
            Written::List(parts) => {
                let quoted: Vec<String> = parts.iter().map(|part| format!("'{part}'")).collect();
                write!(f, "[{}]", quoted.join(", "))
            }
        }
    }
}

impl Reference {
    /// Reads what was written.
    pub(crate) fn parse(written: Written) -> Result<Reference> {
        match written.parse() {
            Ok(reflike) => Ok(Reference { written, reflike }),
            Err(error) => Err(written.unresolved(malformed(&error)).into()),
        }
    }
}

/// Finds what `reference` names.
pub(crate) fn resolve(env: &Env, reference: &Reference) -> Result<Named> {
    named(env, &reference.reflike).map_err(|error| {
        amend(error, |note| match note.nature {
            Nature::User => reference.written.unresolved(note),
            _ => note,
        })
    })
}

/// Finds what a promise named, now that everything exists.
pub(crate) fn fill(env: &Env, reference: &Reference) -> Result<Value> {
    let written = &reference.written;
    match resolve(env, reference)? {
        Named::Now(value) => Ok(value),
        Named::Later => Err(Note::new(format!("`{written}` is not known yet"))
            .hint(promise::MOVE)
            .origin(Origin::Reference(written.clone()))
            .into()),
    }
}

/// The file object of `path`.
pub(crate) fn file_object(path: &str) -> Value {
    serde_json::json!({"type": "file", "path": path, "from": null, "dump": false})
}

/// What stands at `path` in the package's directory, found by listing the directory above it.
pub(crate) fn entry(env: &Env, path: &RelPath) -> Result<Option<EntryKind>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Some(EntryKind::Dir));
    };
    let entries = env.list(&parent)?;
    Ok(entries.and_then(|entries| find(&entries, name).map(|entry| entry.kind)))
}

/// The entry called `name` of a sorted listing.
pub(crate) fn find<'a>(entries: &'a [ListEntry], name: &str) -> Option<&'a ListEntry> {
    entries
        .binary_search_by(|entry| entry.name.as_str().cmp(name))
        .ok()
        .map(|index| &entries[index])
}

fn malformed(error: &ReflikeError) -> Note {
    let note = Note::new(error.to_string());
    match error {
        ReflikeError::Head { head } => note.suggest(nearest(head, HEADS)),
        ReflikeError::MissingKey { .. } | ReflikeError::Path(_) => note,
    }
}

fn named(env: &Env, reflike: &Reflike) -> Result<Named> {
    match reflike {
        Reflike::File(path) => own_file(env, path),
        Reflike::Input(keys) => input(env, keys),
        Reflike::Output(_) => {
            Err(Note::new("the outputs of a module do not exist before it has run").into())
        }
        Reflike::Pkg(..) if env.phase.get() == Phase::Pkg => Ok(Named::Later),
        Reflike::Pkg(key, onward) => {
            let own = env.own()?;
            dependency(env, &own, key, onward.as_deref()).map(Named::Now)
        }
        Reflike::Module(key, onward) => module(env, key, onward.as_deref()),
    }
}

fn own_file(env: &Env, path: &RelPath) -> Result<Named> {
    let dotted = path.dotted();
    if env.own.borrow().is_none() {
        return match entry(env, path)? {
            Some(EntryKind::Dir) => Ok(Named::Now(file_object(&format!("{dotted}/")))),
            Some(_) => Ok(Named::Now(file_object(&dotted))),
            None => Err(Note::new("there is no such file").into()),
        };
    }
    if env.created.borrow().contains(&dotted) {
        return Ok(Named::Now(file_object(&dotted)));
    }
    let own = env.own()?;
    match own.holds(&dotted)? {
        Some(Held::File) => Ok(Named::Now(file_object(&dotted))),
        Some(Held::Dir) => Ok(Named::Now(file_object(&format!("{dotted}/")))),
        None if env.phase.get() == Phase::ModuleBody => Ok(Named::Later),
        None => Err(no_file(own.files()?, &dotted, "the package's `files`").into()),
    }
}

fn no_file(files: &[Text], path: &str, what: &str) -> Note {
    let near = nearest(path, files.iter().map(|file| &**file)).map(str::to_owned);
    Note::new(format!("`{path}` is not in {what}")).suggest(near.as_deref())
}

fn input(env: &Env, keys: &[String]) -> Result<Named> {
    match env.phase.get() {
        Phase::Pkg => {
            return Err(Note::new("the inputs are not known while `PKG.libsonnet` is read")
                .hint("move the expression into `inputs=function(wake, pkg) ...`")
                .into());
        }
        Phase::PkgInputs => {
            return Err(Note::new("the inputs are what is being computed here").into());
        }
        Phase::ModuleBody | Phase::ModuleInputs | Phase::ModuleFiles | Phase::ModuleExec => {}
    }
    let own = env.own()?;
    let has = |value: &Value| keys.first().is_some_and(|key| value.get(key).is_some());
    if let Some(inputs) = env.module_inputs.borrow().as_ref().filter(|inputs| has(inputs)) {
        return walk(inputs, keys, format_args!("inputs")).map(Named::Now);
    }
    if env.phase.get() == Phase::ModuleBody && !has(own.inputs()?) {
        return Ok(Named::Later);
    }
    walk(own.inputs()?, keys, format_args!("inputs")).map(Named::Now)
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
            Err(Note::new(format!("`pkgs.{key}` is a package, and packages have no outputs: modules have")).into())
        }
        Some(Reflike::Module(name, _)) => Err(Note::new(format!("`pkgs.{key}` is a package, which only offers modules"))
            .hint(format!("name it in `modules={{{name}: pkg.pkgs.{key}.modules.{name}(config)}}` and refer to it there"))
            .into()),
    }
}

fn outside_file(instance: &Instance, key: &str, path: &RelPath) -> Result<Value> {
    let full = format!("{}/{path}", instance.outside());
    match instance.holds(&full)? {
        Some(Held::File) => Ok(file_object(&full)),
        Some(Held::Dir) => Ok(file_object(&format!("{}/", full.trim_end_matches('/')))),
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

fn module(env: &Env, key: &str, onward: Option<&Reflike>) -> Result<Named> {
    match env.phase.get() {
        Phase::Pkg | Phase::PkgInputs => {
            return Err(Note::new(
                "a package cannot refer to modules: they are built from packages",
            )
            .into());
        }
        Phase::ModuleBody => return Ok(Named::Later),
        Phase::ModuleInputs | Phase::ModuleFiles | Phase::ModuleExec => {}
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
        None => Ok(Named::Now(module_reference(id.value(), &instance))),
        Some(Reflike::Input(keys)) => part("inputs", keys).map(Named::Now),
        Some(Reflike::Output(keys)) => part("outputs", keys).map(Named::Now),
        Some(Reflike::File(_) | Reflike::Pkg(..) | Reflike::Module(..)) => {
            Err(Note::new(format!("`modules.{key}` offers `inputs` and `outputs`")).into())
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

/// Follows `keys` into objects and lists, or says where the way ends and what there is.
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

/// The error of a way that ends at `at`, where `here` stands and a `key` was to follow.
fn dead_end(here: &Value, at: &str, key: &str) -> Note {
    match here {
        Value::Object(fields) => absent(at, key, fields.keys().map(String::as_str)),
        Value::Array(items) => {
            Note::new(format!("`{at}` is a list of {} without an element `{key}`", items.len()))
        }
        other => Note::new(format!("`{at}` is {}, which holds no `{key}`", json_kind(other))),
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
