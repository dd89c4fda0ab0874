//! List comprehensions, which rewritten texts call as functions of the value, the sources and the conditions.
//!
//! Iterating does not compute the elements of sources, and the resulting values are lazy.

use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::function::{FuncVal, NativeFn};
use jrsonnet_evaluator::val::{ArrValue, Thunk as thunk_of};
use jrsonnet_evaluator::{Result, Thunk, Val};

use super::function::{Arguments, Native, Unary, holds, mapped};
use crate::engine::json::kind;
use crate::engine::note::{Note, refuse};
use crate::prepare::Call;

/// Returns the function for a call in a rewritten text; `None` if it is not a comprehension.
pub(super) fn comprehension(call: Call) -> Option<FuncVal> {
    Some(match call {
        Call::Map => Native::function(call.name(), &["value", "source"], |args| {
            let source = list(args.value(1)?)?;
            Ok(Val::Arr(mapped(source, function(args.value(0)?)?)?))
        }),
        Call::Select => Native::function(call.name(), &["value", "source", "condition"], select),
        Call::Comprehend => {
            Native::function(call.name(), &["kinds", "value", "clauses"], comprehend)
        }
        _ => return None,
    })
}

fn select(args: &Arguments<'_>) -> Result<Val> {
    let source = list(args.value(1)?)?;
    let condition = Unary::try_from(function(args.value(2)?)?)?;
    let mut selected: Vec<Thunk<Val>> = Vec::new();
    for element in source.iter_lazy() {
        if holds(condition.call(element.clone())?)? {
            selected.push(element);
        }
    }
    Ok(Val::Arr(mapped(ArrValue::new(selected), function(args.value(0)?)?)?))
}

fn comprehend(args: &Arguments<'_>) -> Result<Val> {
    let Val::Str(kinds) = args.value(0)? else { refuse!(Note::new("there is no source")) };
    let clauses = list(args.value(2)?)?;
    let kinds = kinds.into_flat();
    let mut walk = Walk {
        kinds: kinds.as_bytes(),
        clauses: &clauses,
        value: function(args.value(1)?)?,
        variables: Vec::new(),
        found: Vec::new(),
    };
    walk.clause(0)?;
    Ok(Val::Arr(ArrValue::new(walk.found)))
}

struct Walk<'a> {
    /// `f` for a source, `i` for a condition.
    kinds: &'a [u8],
    /// The first source, then functions of the preceding variables.
    clauses: &'a ArrValue,
    value: FuncVal,
    variables: Vec<Thunk<Val>>,
    found: Vec<Thunk<Val>>,
}

impl Walk<'_> {
    fn clause(&mut self, index: usize) -> Result<()> {
        let Some(kind) = self.kinds.get(index) else {
            let (value, variables) = (self.value.clone(), self.variables.clone());
            self.found.push(thunk_of!(move || call(&value, &variables)));
            return Ok(());
        };
        let clause = self.clauses.get(index as u32)?.unwrap_or(Val::Null);
        let clause = match index {
            0 => clause,
            _ => call(&function(clause)?, &self.variables)?,
        };
        if *kind == b'i' {
            return if holds(clause)? { self.clause(index + 1) } else { Ok(()) };
        }
        for element in list(clause)?.iter_lazy() {
            self.variables.push(element);
            self.clause(index + 1)?;
            self.variables.pop();
        }
        Ok(())
    }
}

/// Calls a function with at most as many arguments as the engine supports.
fn call(function: &FuncVal, args: &[Thunk<Val>]) -> Result<Val> {
    macro_rules! of {
        ($($arg:ident)+) => {
            if let [$($arg),+] = args {
                type Called = NativeFn<($(of!(@ $arg),)+ Val)>;
                return Called::try_from(function.clone())?.call($($arg.clone()),+);
            }
        };
        (@ $arg:ident) => { Thunk<Val> };
    }
    of!(a);
    of!(a b);
    of!(a b c);
    of!(a b c d);
    of!(a b c d e);
    of!(a b c d e f);
    of!(a b c d e f g);
    of!(a b c d e f g h);
    of!(a b c d e f g h i);
    of!(a b c d e f g h i j);
    of!(a b c d e f g h i j k);
    of!(a b c d e f g h i j k l);
    Err(Note::new("a comprehension can have at most twelve `for` clauses").into())
}

fn list(value: Val) -> Result<ArrValue> {
    match value {
        Val::Arr(list) => Ok(list),
        _ => Err(ErrorKind::InComprehensionCanOnlyIterateOverArray.into()),
    }
}

fn function(value: Val) -> Result<FuncVal> {
    match value {
        Val::Func(function) => Ok(function),
        other => Err(Note::new(format!("expected a function, not {}", kind(&other))).into()),
    }
}
