//! A call of a builtin, and checks of its arguments.

use std::any::Any;
use std::cell::RefCell;

use jrsonnet_evaluator::function::builtin::Builtin;
use jrsonnet_evaluator::function::{
    CallLocation, FuncVal, FunctionSignature, ParamDefault, ParamName, ParamParse,
};
use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{IStr, ObjValue, Result, Thunk, Val};
use jrsonnet_gcmodule::trace_acyclic;
use serde_json::Value;
use wake_model::nearest::nearest;

use crate::engine::env::{Env, Hunt};
use crate::engine::json::{from_json, kind};
use crate::engine::note::{Note, amend, refuse};
use crate::engine::promise;
use crate::engine::reference::WrittenReference;
use crate::engine::resolve::{self, Referent};
use crate::engine::to_json::{Promises, to_json};

/// A builtin: its name in errors, its parameters, its implementation.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Param],
    /// Whether it is a member of `wake`.
    pub(crate) member: bool,
    pub(crate) run: fn(&Call<'_>) -> Result<Val>,
}

impl Spec {
    /// Whether its result is independent of the module being evaluated.
    fn is_of_any(&self) -> bool {
        matches!(self.name, "wake.dir" | "wake.pkgInfo")
    }

    /// Returns its name without `wake.`.
    pub(crate) fn short(&self) -> &'static str {
        if self.member { &self.name["wake.".len()..] } else { self.name }
    }
}

/// A parameter of a builtin.
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
}

impl Param {
    pub(crate) const fn required(name: &'static str) -> Self {
        Param { name, required: true }
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Param { name, required: false }
    }
}

/// The value of an argument that is a reference.
pub(crate) enum ReferenceValue {
    /// A known value.
    Json(Value),
    /// A promise, or a value that is not a reference.
    Val(Val),
}

impl ReferenceValue {
    /// Returns it as a value of the engine.
    pub(crate) fn into_val(self) -> Val {
        match self {
            ReferenceValue::Json(json) => from_json(&json),
            ReferenceValue::Val(value) => value,
        }
    }
}

/// One call in progress.
pub(crate) struct Call<'a> {
    pub(crate) env: &'a Env,
    pub(crate) spec: &'static Spec,
    /// What the builtin was created for, if there are several of its kind.
    pub(crate) made_for: &'a str,
    args: &'a [Option<Thunk<Val>>],
}

impl Call<'_> {
    /// Returns an argument; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Val>> {
        let value = self.argument(name).map(Thunk::evaluate).transpose()?;
        Ok(value.filter(|value| !matches!(value, Val::Null)))
    }

    /// Whether an argument was given, even if it is null.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.argument(name).is_some()
    }

    fn argument(&self, name: &str) -> Option<&Thunk<Val>> {
        let index = self.spec.params.iter().position(|param| param.name == name)?;
        self.args.get(index)?.as_ref()
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<IStr>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Val::Str(text)) => Ok(Some(text.into_flat())),
            Some(other) => Err(self.expected(name, "a string", &other).into()),
        }
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<IStr> {
        self.text(name)?.ok_or_else(|| self.expected(name, "a string", &Val::Null).into())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name)? {
            None => Ok(false),
            Some(Val::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.expected(name, "true or false", &other).into()),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<ObjValue>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Val::Obj(object)) if !self.env.promises.borrow().contains_key(&object) => {
                Ok(Some(object))
            }
            Some(other) => Err(self.expected(name, "an object", &other).into()),
        }
    }

    /// Returns a function that takes at most the parameters `takes`.
    pub(crate) fn function(&self, name: &str, takes: &[&str]) -> Result<Option<FuncVal>> {
        let signature = || takes.join(", ");
        match self.get(name)? {
            None => Ok(None),
            Some(Val::Func(function)) => {
                check_takes(&function, takes).map_err(|note| {
                    note.argument(name).label(format!("`function({})` is expected", signature()))
                })?;
                Ok(Some(function))
            }
            Some(other) => {
                let expected = format!("a function({})", signature());
                Err(self
                    .expected(name, &expected, &other)
                    .hint(format!("write `{name}=function({}) ...`", signature()))
                    .into())
            }
        }
    }

    /// Returns an argument as JSON without promises.
    pub(crate) fn json(&self, name: &str) -> Result<Value> {
        match self.get(name)? {
            None => Ok(Value::Null),
            Some(value) => self.json_of(name, Promises::Refuse, &value),
        }
    }

    /// Converts `value`, from the argument `name`, to JSON.
    pub(crate) fn json_of(&self, name: &str, promises: Promises, value: &Val) -> Result<Value> {
        to_json(self.env, format_args!("`{name}`"), promises, value)
            .map_err(|error| amend(error, |note| note.argument(name)))
    }

    /// Resolves a reference in the argument `name` to a value, or to a promise of one.
    pub(crate) fn reference(&self, name: &str, value: &Val) -> Result<Val> {
        self.target(name, value).map(ReferenceValue::into_val)
    }

    /// Like [`Call::reference`], but keeps JSON that is already known.
    pub(crate) fn target(&self, name: &str, value: &Val) -> Result<ReferenceValue> {
        if let Val::Obj(object) = value
            && (self.env.promises.borrow().contains_key(object) || is_tagged(object, "file")?)
        {
            return Ok(ReferenceValue::Val(value.clone()));
        }
        let Some(written) = WrittenReference::of(value)? else {
            return Err(self
                .expected(name, "a reference", value)
                .hint("a reference is './path', 'input.key', 'pkg.key', 'module.key.output.key', or a list of its parts")
                .into());
        };
        self.resolve(name, written)
    }

    /// Resolves `written`, from the argument `name`.
    pub(crate) fn resolve(&self, name: &str, written: WrittenReference) -> Result<ReferenceValue> {
        if matches!(self.env.hunt(), Some(Hunt::Reference(hunted)) if *hunted == written) {
            refuse!(Note::found().argument(name));
        }
        let at = |error| amend(error, |note| note.argument(name));
        let reference = resolve::parse(written).map_err(at)?;
        Ok(match resolve::resolve(self.env, &reference).map_err(at)? {
            Referent::Now(value) => ReferenceValue::Json(value),
            Referent::Later => ReferenceValue::Val(promise::value(self.env, reference)),
        })
    }

    /// Returns the error for an argument of the wrong type.
    pub(crate) fn expected(&self, name: &str, expected: &str, found: &Val) -> Note {
        let found = match found {
            Val::Obj(object) if self.env.promises.borrow().contains_key(object) => "a promise",
            other => kind(other),
        };
        self.fault(name, format!("must be {expected}, not {found}"))
    }

    /// Returns an error about the argument `name`; the message continues after the name.
    pub(crate) fn fault(&self, name: &str, message: impl std::fmt::Display) -> Note {
        Note::new(format!("`{name}` of {}() {message}", self.spec.short())).argument(name)
    }

    /// Refuses keys of `object`, from the argument `name`, that are not in `known`.
    pub(crate) fn check_keys(&self, name: &str, object: &ObjValue, known: &[&str]) -> Result<()> {
        for key in object.fields() {
            if !known.contains(&key.as_str()) {
                let message = format!("unknown key `{key}` in `{name}` of {}()", self.spec.short());
                let note = Note::new(message).argument(name).key(key.as_str()).at_key();
                refuse!(match nearest(&key, known.iter().copied()) {
                    near @ Some(_) => note.suggest(near),
                    None => note.hint(format!("the keys are {}", known.join(", "))),
                });
            }
        }
        Ok(())
    }
}

/// Flattens a list of strings, which may contain such lists; a single string counts as a list.
pub(crate) fn text_list(
    call: &Call<'_>,
    argument: &str,
    expected: &str,
    value: &Val,
) -> Result<Vec<IStr>> {
    let mut texts = Vec::new();
    add_texts(call, argument, expected, value, &mut texts)?;
    Ok(texts)
}

fn add_texts(
    call: &Call<'_>,
    argument: &str,
    expected: &str,
    value: &Val,
    texts: &mut Vec<IStr>,
) -> Result<()> {
    match value {
        Val::Str(text) => {
            texts.push(text.into_flat());
            Ok(())
        }
        Val::Arr(items) => {
            texts.reserve(items.len().min(64) as usize);
            items.iter().enumerate().try_for_each(|(index, item)| {
                add_texts(call, argument, expected, &item?, texts)
                    .map_err(|error| amend(error, |note| note.outer_key(index.to_string())))
            })
        }
        other => Err(call.expected(argument, expected, other).into()),
    }
}

/// Whether the `type` of `object` is `tag`.
pub(crate) fn is_tagged(object: &ObjValue, tag: &str) -> Result<bool> {
    Ok(matches!(object.get("type".into())?, Some(Val::Str(text)) if *text.into_flat() == *tag))
}

/// Refuses a function that requires more than the arguments `given`, or takes fewer.
pub(crate) fn check_takes(function: &FuncVal, given: &[&str]) -> std::result::Result<(), Note> {
    let params = function.params();
    let needed: Vec<&str> = params
        .iter()
        .skip(given.len())
        .filter(|param| !param.has_default())
        .filter_map(|param| param.name().as_str())
        .collect();
    if !needed.is_empty() {
        return Err(Note::new(format!(
            "the function requires `{}`, but is called with ({})",
            needed.join("`, `"),
            given.join(", ")
        )));
    }
    if params.len() < given.len() {
        return Err(Note::new(format!(
            "the function takes {} of the {} arguments that it is called with: ({})",
            params.len(),
            given.len(),
            given.join(", ")
        )));
    }
    Ok(())
}

/// Creates a builtin as a value of the engine.
pub(crate) fn native(env: &Env, spec: &'static Spec, made_for: String) -> FuncVal {
    native_of_turn(env, spec, made_for, env.turn())
}

/// Creates a builtin as a member of the `wake` object of another turn.
pub(crate) fn native_of_turn(
    env: &Env,
    spec: &'static Spec,
    made_for: String,
    turn: u32,
) -> FuncVal {
    let signature = signature(spec);
    FuncVal::builtin(Native { env: env.clone(), spec, made_for, turn, signature })
}

struct Native {
    env: Env,
    spec: &'static Spec,
    made_for: String,
    turn: u32,
    signature: FunctionSignature,
}

trace_acyclic!(Native);

impl Builtin for Native {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn params(&self) -> FunctionSignature {
        self.signature.clone()
    }

    fn call(&self, _location: CallLocation<'_>, args: &[Option<Thunk<Val>>]) -> Result<Val> {
        let call = Call { env: &self.env, spec: self.spec, made_for: &self.made_for, args };
        if let Some(Hunt::Call(name, spot)) = self.env.hunt()
            && name == self.spec.name
        {
            refuse!(Note { spot: spot.clone(), ..Note::found() });
        }
        let is_earlier = self.turn != self.env.turn();
        let value = match is_earlier && self.spec.member {
            // The result is cached, and the next module may use it.
            true => {
                self.env.is_mixed.set(self.env.is_mixed.get() || !self.spec.is_of_any());
                self.env.world.shared_anew(|| (self.spec.run)(&call))?
            }
            false => (self.spec.run)(&call)?,
        };
        if let Some(Hunt::Value(hunted)) = self.env.hunt()
            && matches!(to_json(&self.env, format_args!("the value"), Promises::Keep, &value), Ok(json) if json == *hunted)
        {
            refuse!(Note::found());
        }
        Ok(value)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

thread_local! {
    static SIGNATURES: RefCell<FxHashMap<&'static str, FunctionSignature>> = RefCell::default();
}

fn signature(spec: &'static Spec) -> FunctionSignature {
    SIGNATURES.with_borrow_mut(|known| {
        known
            .entry(spec.name)
            .or_insert_with(|| {
                let param = |param: &Param| {
                    ParamParse::new(
                        ParamName::Named(param.name.into()),
                        ParamDefault::exists(!param.required),
                    )
                };
                FunctionSignature::new(spec.params.iter().map(param).collect())
            })
            .clone()
    })
}
