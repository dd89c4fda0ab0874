//! The operators that rewritten texts call as functions, because the engine's own differ.

use jrsonnet_evaluator::error::ErrorKind;
use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::val::{ArrValue, StrValue};
use jrsonnet_evaluator::{NumValue, Result, Val};
use jrsonnet_ir::{BinaryOpType, UnaryOpType};

use super::equal::equal;
use super::format::format;
use super::function::{Arguments, Native};
use super::json_text::text_of;
use super::slice;
use crate::engine::json::kind;
use crate::engine::note::{Note, refuse};
use crate::prepare::Call;

/// Returns the function for a call in a rewritten text; `None` if it is not an operator.
pub(super) fn operator(call: Call) -> Option<FuncVal> {
    type Run = fn(&Arguments<'_>) -> Result<Val>;
    let (params, run): (&[&'static str], Run) = match call {
        Call::Add => (&["left", "right"], |args| add(&args.value(0)?, &args.value(1)?)),
        Call::Sum => (&["terms"], sum),
        Call::Equal => {
            (&["left", "right"], |args| equal(&args.value(0)?, &args.value(1)?).map(Val::Bool))
        }
        Call::Differ => (&["left", "right"], |args| {
            equal(&args.value(0)?, &args.value(1)?).map(|equal| Val::Bool(!equal))
        }),
        Call::Multiply => (&["left", "right"], multiply),
        Call::Modulo => (&["left", "right"], |args| modulo(&args.value(0)?, &args.value(1)?)),
        Call::ShiftLeft => {
            (&["left", "right"], |args| shift(&args.value(0)?, BinaryOpType::Lhs, &args.value(1)?))
        }
        Call::ShiftRight => {
            (&["left", "right"], |args| shift(&args.value(0)?, BinaryOpType::Rhs, &args.value(1)?))
        }
        Call::Complement => (&["operand"], complement),
        Call::Slice => (&["of", "from", "to", "step"], slice::slice),
        Call::Brace => (&["left", "right"], brace),
        Call::Extend => (&["is_above", "above", "value"], extend),
        Call::Map | Call::Select | Call::Comprehend | Call::Config | Call::Own | Call::At => {
            return None;
        }
    };
    Some(Native::function(call.name(), params, run))
}

/// `left + right`.
pub(super) fn add(left: &Val, right: &Val) -> Result<Val> {
    Ok(match (left, right) {
        (Val::Str(left), Val::Str(right)) => {
            Val::Str(StrValue::concat(left.clone(), right.clone()))
        }
        (Val::Str(left), right) => Val::Str(StrValue::concat(left.clone(), text_of(right)?.into())),
        (left, Val::Str(right)) => Val::Str(StrValue::concat(text_of(left)?.into(), right.clone())),
        (Val::Num(left), Val::Num(right)) => Val::try_num(left.get() + right.get())?,
        (Val::Obj(left), Val::Obj(right)) => Val::Obj(right.extend_from(left.clone())),
        (Val::Arr(left), Val::Arr(right)) => {
            match ArrValue::extended(left.clone(), right.clone()) {
                Some(list) => Val::Arr(list),
                None => refuse!(Note::new("the list is too long")),
            }
        }
        _ => return Err(undefined(left, BinaryOpType::Add, right)),
    })
}

fn sum(args: &Arguments<'_>) -> Result<Val> {
    let Val::Arr(terms) = args.value(0)? else { refuse!(Note::new("there is nothing to add")) };
    let mut terms = terms.iter();
    let mut sum = terms.next().unwrap_or(Ok(Val::Null))?;
    for term in terms {
        sum = add(&sum, &term?)?;
    }
    Ok(sum)
}

fn multiply(args: &Arguments<'_>) -> Result<Val> {
    match (args.value(0)?, args.value(1)?) {
        (Val::Num(left), Val::Num(right)) => Ok(Val::try_num(left.get() * right.get())?),
        (left, right) => Err(undefined(&left, BinaryOpType::Mul, &right)),
    }
}

/// `left % right`.
pub(super) fn modulo(left: &Val, right: &Val) -> Result<Val> {
    match (left, right) {
        (Val::Num(left), Val::Num(right)) => {
            if right.get() == 0.0 {
                return Err(ErrorKind::DivisionByZero.into());
            }
            Ok(Val::try_num(left.get() % right.get())?)
        }
        (Val::Str(pattern), values) => Ok(Val::string(format(&pattern.into_flat(), values)?)),
        _ => Err(undefined(left, BinaryOpType::Mod, right)),
    }
}

fn shift(left: &Val, operator: BinaryOpType, right: &Val) -> Result<Val> {
    let (Val::Num(value), Val::Num(places)) = (left, right) else {
        return Err(undefined(left, operator, right));
    };
    if places.get() < 0.0 {
        refuse!(Note::new("the shift count must not be negative"));
    }
    let (value, places) = (whole(*value)?, whole(*places)?);
    let places = (places % 64) as u32;
    let shifted = match operator {
        BinaryOpType::Rhs => value >> places,
        _ => {
            let shifted = value.wrapping_shl(places);
            if shifted >> places != value {
                refuse!(Note::new("the shifted number would have more than 64 bits"));
            }
            shifted
        }
    };
    Ok(Val::try_num(shifted as f64)?)
}

/// `~operand`, for the integer part of the operand; a result of more than 64 bits becomes the largest number.
fn complement(args: &Arguments<'_>) -> Result<Val> {
    const BITS: f64 = (1_u64 << 63) as f64;
    match args.value(0)? {
        Val::Num(number) if (-BITS..BITS).contains(&number.get()) => {
            Ok(Val::try_num(!(number.get() as i64) as f64)?)
        }
        Val::Num(_) => Ok(Val::try_num(BITS)?),
        other => Err(ErrorKind::UnaryOperatorDoesNotOperateOnType(
            UnaryOpType::BitNot,
            other.value_type(),
        )
        .into()),
    }
}

/// `left { ... }`.
fn brace(args: &Arguments<'_>) -> Result<Val> {
    match args.value(0)? {
        left @ (Val::Obj(_) | Val::Str(_)) => add(&left, &args.value(1)?),
        left => refuse!(Note::new(format!("{} cannot be extended by an object", kind(&left)))),
    }
}

/// Converts a number for bitwise operators.
fn whole(number: NumValue) -> Result<i64> {
    Ok(number.truncate_for_bitwise()?)
}

/// `name+: value` in an object whose parent may have a `name`.
fn extend(args: &Arguments<'_>) -> Result<Val> {
    match args.value(0)? {
        Val::Bool(true) => add(&args.value(1)?, &args.value(2)?),
        _ => args.value(2),
    }
}

fn undefined(left: &Val, operator: BinaryOpType, right: &Val) -> jrsonnet_evaluator::Error {
    ErrorKind::BinaryOperatorDoesNotOperateOnValues(operator, left.value_type(), right.value_type())
        .into()
}
