//! A module function, and the functions of the module that it declares.

use std::rc::Rc;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::{Error, Result, State, Thunk, Val};
use serde_json::{Map, Value};
use wake_model::RelPath;

use super::{call2, call3, from_call, function_of, map_of, not_declared};
use crate::engine::api::{self, ExecDecl, ModuleDecl, ModuleExec};
use crate::engine::default::{OVERLAY, plain_default, yielding};
use crate::engine::env::{Env, Phase};
use crate::engine::json::write::{Json, Object, text_of};
use crate::engine::json::{from_json, json_kind, kind};
use crate::engine::note::{Nature, Note, Origin, amend, refuse};
use crate::engine::reference::{Reference, WrittenReference};
use crate::engine::resolve::{self, file_object};
use crate::engine::to_json::{Promises, to_json};
use crate::engine::view;

const FORM: &str = "function(wake, pkg, config) wake.module(...)";

/// Evaluates the module `name` whose function stands in `file`.
pub(crate) fn module(
    env: &Env,
    state: &State,
    file: &RelPath,
    name: &str,
    config: Option<&Value>,
) -> Result<String> {
    env.phase.set(Phase::ModuleBody);
    let function = function_of(env, state, file, &["wake", "pkg"], FORM).or_else(|error| {
        function_of(env, state, file, &["wake", "pkg", "config"], FORM).map_err(|_| error)
    })?;
    check_names(&function, file)?;
    let own = env.own()?;
    let pkg = view::pkg(env, &own);
    env.module.replace(Some(name.into()));
    let config = effective_config(env, state, &function, (file, name), config)?;
    let result = match function.params().len() {
        0..=2 => call2(&function, api::wake(env), pkg.clone())?,
        _ => call3(&function, api::wake(env), pkg.clone(), from_json(&config))?,
    };
    let Some(declared) = env.declarations.take::<ModuleDecl>(&result) else {
        let changed = env.declarations.has::<ModuleDecl>();
        refuse!(not_declared(file.as_str(), "wake.module", changed, &result));
    };
    env.modules.replace(declared.modules.clone());
    Instantiation { env, pkg, declared, config }.json()
}

/// Refuses a function whose second parameter is plainly meant for something else than the package.
fn check_names(function: &FuncVal, file: &RelPath) -> Result<()> {
    let params = function.params();
    let name = |at: usize| params.get(at).and_then(|param| param.name().as_str());
    if name(1) == Some("config") {
        let message = format!("`{file}` must return {FORM}: its second argument is the package");
        refuse!(Note::new(message).origin(Origin::File(file.as_str().to_owned())));
    }
    Ok(())
}

/// The config that the function gets: what was asked for, else its own default, else `{}`.
fn effective_config(
    env: &Env,
    state: &State,
    function: &FuncVal,
    module: (&RelPath, &str),
    config: Option<&Value>,
) -> Result<Value> {
    let (file, name) = module;
    let empty = || Value::Object(Map::new());
    let at = |note: Note| note.origin(Origin::File(file.as_str().to_owned()));
    let params = function.params();
    match (params.get(2), config) {
        (None, Some(config)) if *config != empty() => Err(at(Note::new(format!("module `{name}` takes no config")))
            .hint("declare it as function(wake, pkg, config) ...")
            .into()),
        (None, _) => Ok(empty()),
        (Some(_), Some(config)) => Ok(config.clone()),
        (Some(param), None) if !param.has_default() => Ok(empty()),
        (Some(param), None) => match plain_default(function, 2) {
            Some(config) => Ok(config),
            None => match computed_default(env, state, file, param.name().as_str().unwrap_or_default())? {
                Some(config) => Ok(config),
                None => Err(at(Note::new(format!("cannot tell the default config of module `{name}`")))
                    .hint("let the file end in the function itself, or write the default out as config={debug: false}")
                    .into()),
            },
        },
    }
}

fn computed_default(
    env: &Env,
    state: &State,
    file: &RelPath,
    param: &str,
) -> Result<Option<Value>> {
    let text = env.texts.borrow().get(file.as_str()).cloned();
    let Some(text) = text.and_then(|text| yielding(&text, param)) else { return Ok(None) };
    let name = format!("{file}{OVERLAY}");
    env.overlays.borrow_mut().insert(name.clone(), text);
    let Val::Func(function) = state.import(name.as_str())? else { return Ok(None) };
    let default = call2(&function, api::wake(env), view::pkg(env, &env.own()?))?;
    to_json(env, format_args!("the default of `config`"), Promises::Refuse, &default).map(Some)
}

/// A module whose body has been evaluated.
struct Instantiation<'a> {
    env: &'a Env,
    pkg: Val,
    declared: ModuleDecl,
    config: Value,
}

impl Instantiation<'_> {
    /// What is told to the one who asked: the module complete, or what it waits for.
    fn json(mut self) -> Result<String> {
        let exec = std::mem::replace(&mut self.declared.exec, ModuleExec::None);
        let outputs = self.outputs()?;
        let mut pending = Vec::new();
        let inputs = settle(self.inputs(), &mut pending)?;
        let files = settle(self.files(inputs.as_ref()), &mut pending)?;
        let exec = settle(self.exec(exec, inputs.as_ref(), files.as_deref()), &mut pending)?;
        pending.sort_by_cached_key(wake_model::json::canonical);
        pending.dedup();
        let declared = &self.declared;
        let mut fields: Vec<(&'static str, &dyn Json)> = vec![
            ("config", &self.config),
            ("metadata", &declared.metadata),
            ("modules", &declared.modules),
            ("name", &declared.name),
            ("outputs", &outputs),
            ("pkg", &declared.pkg),
            ("pkgFiles", &declared.pkg_files),
        ];
        match (&inputs, &files, &exec) {
            (Some(inputs), Some(files), Some(exec)) if pending.is_empty() => {
                fields.extend([("exec", exec as &dyn Json), ("files", files), ("inputs", inputs)]);
            }
            _ => fields.push(("pending", &pending)),
        }
        Ok(text_of(&Object(&fields)))
    }

    fn outputs(&self) -> Result<Value> {
        let Some(function) = &self.declared.outputs else { return Ok(Value::Object(Map::new())) };
        self.env.phase.set(Phase::ModuleBody);
        let result = call2(function, api::wake(self.env), self.pkg.clone())?;
        let at = |error: Error| from_call(error, "wake.module", "outputs");
        let mut outputs = map_of(self.env, "`outputs`", Promises::Refuse, &result).map_err(at)?;
        for (key, value) in outputs.as_object_mut().into_iter().flatten() {
            declare_paths(value).map_err(|note| at(note.key(key.as_str()).into()))?;
        }
        Ok(outputs)
    }

    fn inputs(&self) -> Result<Value> {
        let Some(function) = &self.declared.inputs else { return Ok(Value::Object(Map::new())) };
        self.env.phase.set(Phase::ModuleInputs);
        let unknown = Note::new("the module's inputs are what is being computed here");
        let result =
            call2(function, api::wake(self.env), self.argument(Thunk::errored(unknown.into())))?;
        let inputs = map_of(self.env, "`inputs`", Promises::Fill, &result)
            .map_err(|error| from_call(error, "wake.module", "inputs"))?;
        self.env.module_inputs.replace(Some(inputs.clone()));
        Ok(inputs)
    }

    fn files(&self, inputs: Option<&Value>) -> Result<Vec<Value>> {
        let Some(function) = &self.declared.files else { return Ok(Vec::new()) };
        self.env.phase.set(Phase::ModuleFiles);
        let result = call2(function, api::wake(self.env), self.argument(known(inputs)))?;
        let mut files = Vec::new();
        self.collect(&result, &mut files)
            .map_err(|error| from_call(error, "wake.module", "files"))?;
        let paths = files
            .iter()
            .filter_map(|file| file.get("path").and_then(Value::as_str))
            .map(str::to_owned);
        self.env.created.replace(paths.collect());
        Ok(files)
    }

    /// Adds the files that `value` names: a file, a reference, or a list of these.
    fn collect(&self, value: &Val, files: &mut Vec<Value>) -> Result<()> {
        if let Some(written) = WrittenReference::of(value)? {
            let reference = resolve::parse(written)?;
            let named = resolve::fill(self.env, &reference)?;
            let Reference { written, .. } = reference;
            return push_files(&named, &format!("`{written}`"), files)
                .map_err(|error| amend(error, |note| note.origin(Origin::Reference(written))));
        }
        match value {
            Val::Arr(items) => items.iter().try_for_each(|item| self.collect(&item?, files)),
            other => {
                let json = to_json(self.env, format_args!("`files`"), Promises::Fill, other)?;
                push_files(&json, "an element", files)
            }
        }
    }

    fn exec(
        &self,
        exec: ModuleExec,
        inputs: Option<&Value>,
        files: Option<&[Value]>,
    ) -> Result<Value> {
        if inputs.is_none() || files.is_none() {
            // What the command refers to may be among what is not there yet: the body is asked again later.
            return Ok(Value::Null);
        }
        self.env.phase.set(Phase::ModuleExec);
        let exec = match exec {
            ModuleExec::None => return Ok(Value::Null),
            ModuleExec::Declared(exec) => exec,
            ModuleExec::Computed(function) => {
                let result = call2(&function, api::wake(self.env), self.argument(known(inputs)))?;
                let Some(exec) = self.env.declarations.of::<ExecDecl>(&result) else {
                    let note = Note::new(format!(
                        "the function `exec` must return wake.exec(...), not {}",
                        kind(&result)
                    ));
                    return Err(from_call(note.into(), "wake.module", "exec"));
                };
                exec
            }
        };
        // Nobody else asks for it any more.
        self.env.declarations.clear();
        let json = Rc::unwrap_or_clone(exec).filled(self.env);
        json.map_err(|error| from_call(error, "wake.exec", "ref"))
    }

    fn argument(&self, inputs: Thunk<Val>) -> Val {
        view::module(self.env, &self.declared.name, &self.config, self.pkg.clone(), inputs)
    }
}

fn known(inputs: Option<&Value>) -> Thunk<Val> {
    match inputs {
        Some(inputs) => Thunk::evaluated(from_json(inputs)),
        None => Thunk::errored(
            Note::new("the module's inputs are not known yet")
                .nature(Nature::Pending(Value::Null))
                .into(),
        ),
    }
}

/// Separates what waits for a dependency from what went wrong.
fn settle<T>(result: Result<T>, pending: &mut Vec<Value>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match Note::of(&error) {
            Some(Note { nature: Nature::Pending(id), .. }) => {
                if !id.is_null() {
                    pending.push(id);
                }
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

fn push_files(value: &Value, name: &str, files: &mut Vec<Value>) -> Result<()> {
    match value {
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some("file") => {
            files.push(value.clone());
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| push_files(item, name, files)),
        other => Err(Note::new(format!(
            "`files` must hold files, and {name} gives {}",
            json_kind(other)
        ))
        .hint("wake.file(path, from=value, dump=true) writes a value into a file")
        .into()),
    }
}

/// Makes file objects of the paths that stand at the top of an output: `./path`, or a list of such.
fn declare_paths(value: &mut Value) -> std::result::Result<(), Note> {
    match value {
        Value::String(text) if text.starts_with("./") => {
            *value = file_object(&output_path(text)?);
            Ok(())
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(is_path) => {
            items.iter_mut().try_for_each(declare_paths)
        }
        _ => Ok(()),
    }
}

fn is_path(value: &Value) -> bool {
    let file = value.get("type").and_then(Value::as_str) == Some("file");
    file || value.as_str().is_some_and(|text| text.starts_with("./"))
}

fn output_path(text: &str) -> std::result::Result<String, Note> {
    let path: RelPath = text.parse()?;
    if path.components().next() == Some(".wake") {
        return Err(Note::new(format!("`{text}` lies in `.wake`, where wake keeps its own files")));
    }
    let slash = if text.ends_with('/') && !path.is_root() { "/" } else { "" };
    Ok(format!("{}{slash}", path.dotted()))
}
