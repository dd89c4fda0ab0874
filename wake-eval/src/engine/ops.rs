//! The function applications that can be requested.

pub(crate) mod module;

use std::rc::Rc;

use jrsonnet_evaluator::function::{FuncVal, NativeFn};
use jrsonnet_evaluator::{
    ContextInitializer, InitialContextBuilder, Result, Source, SourcePath, SourceVirtual, State,
    Thunk, Val,
};
use jrsonnet_gcmodule::trace_acyclic;
use serde_json::Value;
use wake_model::RelPath;
use wake_model::place::PKG_FILE;

use super::api::{self, PkgDecl};
use super::env::{Env, ImportablePkgs, Phase, PkgPart};
use super::json::kind;
use super::json::write::text_of;
use super::note::{Note, Origin, refuse};
use super::to_json::{Promises, to_json};
use super::view;
use super::world::Instance;
use crate::wire::request::Task;

/// Performs `task` and returns its result as JSON.
pub(crate) fn apply(env: &Env, state: &State, task: &Task<'_>) -> Result<String> {
    match task {
        Task::Pkg => Ok(text_of(&pkg(env, state, PkgPart::Whole)?.said)),
        Task::Modules { pkg: own } => {
            learn(env, own)?;
            Ok(text_of(&pkg(env, state, PkgPart::Late)?.said))
        }
        Task::Inputs { pkg } => Ok(text_of(&inputs(env, state, pkg)?)),
        Task::Module { file, name, pkg, config, merge } => {
            let config = module::ConfigRequest::of(*config, *merge)?;
            module::module(env, state, file.as_deref(), name, config, learn(env, pkg)?)
        }
        Task::Expr { code, label, dir, library } => {
            env.expression_dir.replace(dir.clone().into_owned());
            env.library_dirs.replace(library.to_vec());
            env.pkgs.replace(ImportablePkgs::None);
            expression(env, state, code, label)
        }
        Task::Locate { .. } => {
            refuse!(Note::new("a value can be located only in one function application"))
        }
    }
}

/// Evaluates the needed part of `PKG.libsonnet`.
fn pkg(env: &Env, state: &State, part: PkgPart) -> Result<Rc<PkgDecl>> {
    env.part.set(part);
    let file = RelPath::parse(PKG_FILE).map_err(Note::from)?;
    env.phase.set(Phase::Pkg);
    let function = function_of(env, state, &file, &["wake"], "function(wake) wake.pkg(...)")?;
    let result = call1(&function, api::wake(env))?;
    env.declarations.of(&result).ok_or_else(|| {
        let changed = env.declarations.has::<PkgDecl>();
        let note = not_declared(&format!("`{PKG_FILE}`"), "wake.pkg", changed, &result);
        note.origin(Origin::File(PKG_FILE.to_owned())).into()
    })
}

fn inputs(env: &Env, state: &State, own_json: &str) -> Result<Value> {
    let own = learn(env, own_json)?;
    let declared = pkg(env, state, PkgPart::Inputs)?;
    env.own.replace(Some(own.clone()));
    let Some(function) = &declared.inputs else { return Ok(Value::Object(serde_json::Map::new())) };
    env.phase.set(Phase::PkgInputs);
    let result = call2(function, api::wake(env), view::pkg(env, &own))?;
    map_of(env, "`inputs`", Promises::Refuse, &result)
        .map_err(|error| from_call(error, "wake.pkg", "inputs"))
}

/// Parses the package's own instance; from then on its dependencies can be imported from.
pub(crate) fn learn(env: &Env, json: &str) -> Result<Rc<Instance>> {
    let instance = Instance::parse(json)
        .map_err(|error| Note::new(format!("the package's own instance is malformed: {error}")))?;
    let instance = Rc::new(instance);
    env.library_dirs.replace(instance.imports.clone());
    env.pkgs.replace(ImportablePkgs::NamedBy(instance.clone()));
    Ok(instance)
}

fn expression(env: &Env, state: &State, code: &str, label: &str) -> Result<String> {
    let text: Rc<str> = code.into();
    env.texts.borrow_mut().insert(label.to_owned(), text.clone());
    let prepared = env.prepare(&virtual_name(label), label, text)?;
    let code = prepared.as_deref().unwrap_or(code);
    let value = state.evaluate_snippet_with(label, code, &WithWake { env: env.clone() })?;
    let value = match value {
        Val::Func(function) if function.params_len() == 0 => called(function)?,
        value => value,
    };
    Ok(text_of(&to_json(env, format_args!("the result"), Promises::Keep, &value)?))
}

/// Calls a function whose parameters all have defaults, as every engine does with a function that a file yields.
fn called(function: FuncVal) -> Result<Val> {
    NativeFn::<(Val,)>::try_from(function)?.call()
}

/// Returns the name under which the engine knows a text that is not a file.
fn virtual_name(label: &str) -> String {
    SourcePath::new(SourceVirtual(label.into())).to_string()
}

/// Binds `wake` for an expression that is not a function.
struct WithWake {
    env: Env,
}

trace_acyclic!(WithWake);

impl ContextInitializer for WithWake {
    fn populate(&self, _source: Source, builder: &mut InitialContextBuilder) {
        builder.bind("wake", Thunk::evaluated(api::wake(&self.env)));
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Returns the function that a file yields, to be called with the arguments `given`.
fn function_of(
    env: &Env,
    state: &State,
    file: &RelPath,
    given: &[&str],
    form: &str,
) -> Result<FuncVal> {
    let at = |note: Note| note.origin(Origin::File(file.as_str().to_owned()));
    let value = state.import(file.as_str()).map_err(|error| match env.world.is_absent(file) {
        true => Note::new(format!("there is no file `{file}`")).into(),
        false => error,
    })?;
    let Val::Func(function) = value else {
        refuse!(at(Note::new(format!("`{file}` must return {form}, not {}", kind(&value)))));
    };
    api::check_takes(&function, given).map_err(|note| {
        let message = format!("`{file}` must return {form}: {}", note.message);
        at(Note { message, ..note })
    })?;
    Ok(function)
}

/// Returns the error for a function that does not return the result of `builtin`, although it may have called it.
fn not_declared(subject: &str, builtin: &str, called: bool, result: &Val) -> Note {
    Note::new(match called {
        true => format!("{subject} must return the result of {builtin}() unchanged"),
        false => format!("{subject} must return {builtin}(...), not {}", kind(result)),
    })
}

/// Converts a value, which must be an object, to JSON.
fn map_of(env: &Env, what: &str, promises: Promises, value: &Val) -> Result<Value> {
    if !matches!(value, Val::Obj(_)) {
        refuse!(Note::new(format!("{what} must be an object, not {}", kind(value))));
    }
    to_json(env, format_args!("{what}"), promises, value)
}

/// Attributes an error without a place to the value of `argument` in a call of `builtin`.
fn from_call(
    error: jrsonnet_evaluator::Error,
    builtin: &str,
    argument: &str,
) -> jrsonnet_evaluator::Error {
    if !error.trace().0.is_empty() {
        return error;
    }
    match Note::of(&error) {
        Some(mut note) if matches!(note.origin, Origin::Unknown) => {
            note.spot.argument.get_or_insert_with(|| argument.to_owned());
            note.origin(Origin::Call(builtin.to_owned())).into()
        }
        _ => error,
    }
}

fn call1(function: &FuncVal, first: Val) -> Result<Val> {
    NativeFn::<(Val, Val)>::try_from(function.clone())?.call(first)
}

fn call2(function: &FuncVal, first: Val, second: Val) -> Result<Val> {
    NativeFn::<(Val, Val, Val)>::try_from(function.clone())?.call(first, second)
}

fn call3(function: &FuncVal, first: Val, second: Val, third: Val) -> Result<Val> {
    NativeFn::<(Val, Val, Val, Val)>::try_from(function.clone())?.call(first, second, third)
}
