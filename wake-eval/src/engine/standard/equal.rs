//! Equality of values.

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{ObjValue, Result, Val};

use crate::engine::note::{Note, refuse};

/// Whether two values are equal as defined by the language: numbers exactly, lists and objects by their visible
/// content. Functions cannot be compared.
pub(crate) fn equal(left: &Val, right: &Val) -> Result<bool> {
    Ok(match (left, right) {
        (Val::Null, Val::Null) => true,
        (Val::Bool(left), Val::Bool(right)) => left == right,
        (Val::Num(left), Val::Num(right)) => left.get() == right.get(),
        (Val::Str(left), Val::Str(right)) => left == right,
        (Val::Arr(left), Val::Arr(right)) => lists(left, right)?,
        (Val::Obj(left), Val::Obj(right)) => objects(left, right)?,
        (Val::Func(_), Val::Func(_)) => refuse!(Note::new("functions cannot be compared")),
        _ => false,
    })
}

fn lists(left: &ArrValue, right: &ArrValue) -> Result<bool> {
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right.iter()) {
        if !equal(&left?, &right?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn objects(left: &ObjValue, right: &ObjValue) -> Result<bool> {
    let fields = left.fields();
    if fields != right.fields() {
        return Ok(false);
    }
    for field in fields {
        let (Some(left), Some(right)) = (left.get(field.clone())?, right.get(field)?) else {
            return Ok(false);
        };
        if !equal(&left, &right)? {
            return Ok(false);
        }
    }
    Ok(true)
}
