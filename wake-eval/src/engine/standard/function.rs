//! Functions of our own, called by position, and lists that are computed by calling functions.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use jrsonnet_evaluator::function::builtin::Builtin;
use jrsonnet_evaluator::function::{
    CallLocation, FuncVal, FunctionSignature, NativeFn, ParamDefault, ParamName, ParamParse,
};
use jrsonnet_evaluator::val::{ArrValue, ArrayLike};
use jrsonnet_evaluator::{Error, Result, Thunk, Val};
use jrsonnet_gcmodule::{Trace, trace_acyclic};
use jrsonnet_ir::IStr;

/// A function of the engine that takes its arguments as they are, not yet computed.
pub(crate) struct Native {
    name: &'static str,
    params: FunctionSignature,
    run: fn(&Arguments<'_>) -> Result<Val>,
}

trace_acyclic!(Native);

impl Native {
    /// A function that is called `name` in errors; its parameters are `params`, those that end in `?` optional.
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
        (self.run)(&Arguments(args))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The arguments of one call.
pub(crate) struct Arguments<'a>(&'a [Option<Thunk<Val>>]);

impl Arguments<'_> {
    /// The argument at `index`, not computed; none if it was not given.
    pub(crate) fn lazy(&self, index: usize) -> Option<&Thunk<Val>> {
        self.0.get(index)?.as_ref()
    }

    /// The argument at `index`; null if it was not given, which the engine allows only of optional ones.
    pub(crate) fn value(&self, index: usize) -> Result<Val> {
        self.lazy(index).map_or(Ok(Val::Null), Thunk::evaluate)
    }
}

/// A function that is called with one argument, which is not computed before.
pub(crate) type Unary = NativeFn<(Thunk<Val>, Val)>;

/// `function` of each element of `source`, computed when it is looked at.
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
        f.write_str("a list that is computed when it is looked at")
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
