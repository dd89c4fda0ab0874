//! Builtin functions with positional arguments, and lists computed by function calls.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use jrsonnet_evaluator::function::builtin::Builtin;
use jrsonnet_evaluator::function::{
    CallLocation, FuncVal, FunctionSignature, NativeFn, ParamDefault, ParamName, ParamParse,
};
use jrsonnet_evaluator::val::{ArrValue, ArrayLike};
use jrsonnet_evaluator::{Error, ObjValue, Result, Thunk, Val};
use jrsonnet_gcmodule::{Trace, trace_acyclic};
use jrsonnet_ir::IStr;

use super::json_text::text_of;
use crate::engine::json::kind;
use crate::engine::note::Note;

/// A function of the engine that takes its arguments lazily.
pub(crate) struct Native {
    name: &'static str,
    params: FunctionSignature,
    run: fn(&Arguments<'_>) -> Result<Val>,
}

trace_acyclic!(Native);

impl Native {
    /// Creates a function called `name` in errors, with the parameters `params`; those that end in `?` are optional.
    pub(crate) fn function(
        name: &'static str,
        params: &[&'static str],
        run: fn(&Arguments<'_>) -> Result<Val>,
    ) -> FuncVal {
        let param = |name: &&'static str| match name.strip_suffix('?') {
            Some(name) => ParamParse::new(ParamName::Named(name.into()), ParamDefault::Exists),
            None => ParamParse::new(ParamName::Named(IStr::from(*name)), ParamDefault::None),
        };
        let params = FunctionSignature::new(params.iter().map(param).collect());
        FuncVal::builtin(Native { name, params, run })
    }
}

impl Builtin for Native {
    fn name(&self) -> &str {
        self.name
    }

    fn params(&self) -> FunctionSignature {
        self.params.clone()
    }

    fn call(&self, _location: CallLocation<'_>, args: &[Option<Thunk<Val>>]) -> Result<Val> {
        (self.run)(&Arguments { native: self, args })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The arguments of one call.
pub(crate) struct Arguments<'a> {
    native: &'a Native,
    args: &'a [Option<Thunk<Val>>],
}

impl Arguments<'_> {
    /// Returns the argument at `index` without computing it; `None` if it was not given.
    pub(crate) fn lazy(&self, index: usize) -> Option<&Thunk<Val>> {
        self.args.get(index)?.as_ref()
    }

    /// Returns the argument at `index`; null if it was not given, which the engine allows only for optional ones.
    pub(crate) fn value(&self, index: usize) -> Result<Val> {
        self.lazy(index).map_or(Ok(Val::Null), Thunk::evaluate)
    }

    /// Returns a string argument.
    pub(super) fn text(&self, index: usize) -> Result<IStr> {
        match self.value(index)? {
            Val::Str(text) => Ok(text.into_flat()),
            other => self.expected(index, "a string", &other),
        }
    }

    /// Returns any argument, converted to a string.
    pub(super) fn written(&self, index: usize) -> Result<IStr> {
        text_of(&self.value(index)?)
    }

    pub(super) fn number(&self, index: usize) -> Result<f64> {
        match self.value(index)? {
            Val::Num(number) => Ok(number.get()),
            other => self.expected(index, "a number", &other),
        }
    }

    /// Returns an argument that is a number of elements, or an index.
    pub(super) fn count(&self, index: usize) -> Result<u32> {
        let number = self.number(index)?;
        if number < 0.0 || number.fract() != 0.0 || number > f64::from(u32::MAX) {
            let written = super::number::text(number);
            let name = self.shown();
            let message = format!("{name} needs a non-negative whole number, not {written}");
            return Err(Note::new(message).into());
        }
        Ok(number as u32)
    }

    /// Returns a boolean argument; `default` if it was not given.
    pub(super) fn flag(&self, index: usize, default: bool) -> Result<bool> {
        if self.lazy(index).is_none() {
            return Ok(default);
        }
        match self.value(index)? {
            Val::Bool(flag) => Ok(flag),
            other => self.expected(index, "a boolean", &other),
        }
    }

    pub(super) fn list(&self, index: usize) -> Result<ArrValue> {
        match self.value(index)? {
            Val::Arr(list) => Ok(list),
            other => self.expected(index, "a list", &other),
        }
    }

    /// Returns a list argument, or the characters of a string.
    pub(super) fn elements(&self, index: usize) -> Result<ArrValue> {
        match self.value(index)? {
            Val::Arr(list) => Ok(list),
            Val::Str(text) => Ok(text.into_flat().chars().map(Val::string).collect()),
            other => self.expected(index, "a list or a string", &other),
        }
    }

    pub(super) fn object(&self, index: usize) -> Result<ObjValue> {
        match self.value(index)? {
            Val::Obj(object) => Ok(object),
            other => self.expected(index, "an object", &other),
        }
    }

    pub(super) fn function(&self, index: usize) -> Result<FuncVal> {
        match self.value(index)? {
            Val::Func(function) => Ok(function),
            other => self.expected(index, "a function", &other),
        }
    }

    /// Returns the function's name as users write it.
    pub(super) fn shown(&self) -> String {
        format!("std.{}()", self.native.name.trim_start_matches("builtin_"))
    }

    pub(super) fn expected<T>(&self, index: usize, what: &str, found: &Val) -> Result<T> {
        let param = self.native.params.get(index).and_then(|param| param.name().as_str());
        let param = param.unwrap_or_default();
        let message = format!("`{param}` of {} must be {what}, not {}", self.shown(), kind(found));
        Err(Note::new(message).into())
    }
}

/// Returns the result of a condition.
pub(super) fn holds(value: Val) -> Result<bool> {
    match value {
        Val::Bool(holds) => Ok(holds),
        other => {
            let found = kind(&other);
            Err(Note::new(format!("a condition must be true or false, not {found}")).into())
        }
    }
}

/// A function called with one lazy argument.
pub(crate) type Unary = NativeFn<(Thunk<Val>, Val)>;

/// Returns the results of `function` for the elements of `source`, computed on access.
pub(crate) fn mapped(source: ArrValue, function: FuncVal) -> Result<ArrValue> {
    if source.is_empty() {
        return Ok(ArrValue::empty());
    }
    if function.is_identity() {
        return Ok(source);
    }
    if let Some(value) = function.evaluate_trivial() {
        return Ok(std::iter::repeat_n(value, source.len() as usize).collect());
    }
    let function = Unary::try_from(function)?;
    let slots = RefCell::new(vec![Slot::Waiting; source.len() as usize]);
    Ok(ArrValue::new(Mapped(jrsonnet_gcmodule::Cc::new(Inner { source, function, slots }))))
}

#[derive(Trace, Clone)]
struct Mapped(jrsonnet_gcmodule::Cc<Inner>);

#[derive(Trace)]
struct Inner {
    source: ArrValue,
    function: Unary,
    slots: RefCell<Vec<Slot>>,
}

#[derive(Trace, Clone)]
enum Slot {
    Waiting,
    Pending,
    Done(Val),
    Failed(Error),
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a lazy list")
    }
}

impl ArrayLike for Mapped {
    fn len(&self) -> u32 {
        self.0.source.len()
    }

    fn get(&self, index: u32) -> Result<Option<Val>> {
        let at = index as usize;
        match self.0.slots.borrow().get(at) {
            None => return Ok(None),
            Some(Slot::Done(value)) => return Ok(Some(value.clone())),
            Some(Slot::Failed(error)) => return Err(error.clone()),
            Some(Slot::Pending) => {
                return Err(jrsonnet_evaluator::error::ErrorKind::InfiniteRecursionDetected.into());
            }
            Some(Slot::Waiting) => {}
        }
        self.0.slots.borrow_mut()[at] = Slot::Pending;
        let Some(element) = self.0.source.get_lazy(index) else { return Ok(None) };
        let result = self.0.function.call(element);
        self.0.slots.borrow_mut()[at] = match &result {
            Ok(value) => Slot::Done(value.clone()),
            Err(error) => Slot::Failed(error.clone()),
        };
        result.map(Some)
    }

    fn get_lazy(&self, index: u32) -> Option<Thunk<Val>> {
        match self.0.slots.borrow().get(index as usize)? {
            Slot::Done(value) => return Some(Thunk::evaluated(value.clone())),
            Slot::Failed(error) => return Some(Thunk::errored(error.clone())),
            Slot::Waiting | Slot::Pending => {}
        }
        let list = self.clone();
        Some(jrsonnet_evaluator::val::Thunk!(move || {
            list.get(index).map(|value| value.unwrap_or(Val::Null))
        }))
    }
}
