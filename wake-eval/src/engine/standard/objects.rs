//! Functions of `std` on objects, and comparison of values.

use jrsonnet_evaluator::function::NativeFn;
use jrsonnet_evaluator::val::{ArrValue, Thunk as thunk_of};
use jrsonnet_evaluator::{IStr, ObjValue, ObjValueBuilder, Result, Thunk, Val};

use super::equal::equal;
use super::function::Arguments;
use super::json_text::text_of;
use crate::engine::note::{Note, refuse};

/// Names, parameters and implementations.
pub(super) const FUNCTIONS: &[super::Function] = &[
    ("builtin_assertEqual", &["a", "b"], assert_equal),
    ("builtin_equals", &["a", "b"], |args| equal(&args.value(0)?, &args.value(1)?).map(Val::Bool)),
    ("builtin_mapWithKey", &["func", "obj"], map_with_key),
    ("builtin_mergePatch", &["target", "patch"], |args| {
        let target = args.lazy(0).cloned().unwrap_or_else(|| Thunk::evaluated(Val::Null));
        merge_patch(&target, args.value(1)?)
    }),
    ("builtin_objectKeysValues", &["o"], |args| Ok(keys_values(&args.object(0)?, false))),
    ("builtin_objectKeysValuesAll", &["o"], |args| Ok(keys_values(&args.object(0)?, true))),
    ("builtin_primitiveEquals", &["x", "y"], primitive_equals),
];

fn assert_equal(args: &Arguments<'_>) -> Result<Val> {
    let (left, right) = (args.value(0)?, args.value(1)?);
    if equal(&left, &right)? {
        return Ok(Val::Bool(true));
    }
    let (left, right) = (text_of(&left)?, text_of(&right)?);
    Err(Note::new(format!("assertion failed: {left} != {right}")).into())
}

fn primitive_equals(args: &Arguments<'_>) -> Result<Val> {
    let (left, right) = (args.value(0)?, args.value(1)?);
    if matches!((&left, &right), (Val::Arr(_), Val::Arr(_)) | (Val::Obj(_), Val::Obj(_))) {
        refuse!(Note::new("std.primitiveEquals() cannot compare lists or objects"));
    }
    equal(&left, &right).map(Val::Bool)
}

fn map_with_key(args: &Arguments<'_>) -> Result<Val> {
    let function = NativeFn::<(Thunk<Val>, Thunk<Val>, Val)>::try_from(args.function(0)?)?;
    let object = args.object(1)?;
    let fields = object.fields();
    let mut builder = ObjValueBuilder::with_capacity(fields.len());
    for name in fields {
        let (function, value) = (function.clone(), field(&object, &name));
        let key = Thunk::evaluated(Val::string(name.clone()));
        builder.field(name).thunk(thunk_of!(move || function.call(key, value)));
    }
    Ok(Val::Obj(builder.build()))
}

/// Returns an existing field, without computing it.
fn field(object: &ObjValue, name: &IStr) -> Thunk<Val> {
    object.get_lazy(name.clone()).unwrap_or_else(|| Thunk::evaluated(Val::Null))
}

fn keys_values(object: &ObjValue, hidden: bool) -> Val {
    let pair = |name: IStr| {
        let mut builder = ObjValueBuilder::with_capacity(2);
        builder.field("key").value(Val::string(name.clone()));
        builder.field("value").thunk(field(object, &name));
        Val::Obj(builder.build())
    };
    Val::Arr(object.fields_ex(hidden).into_iter().map(pair).collect::<ArrValue>())
}

/// RFC 7396, on the visible fields of both objects; fields that the patch does not mention are not computed.
fn merge_patch(target: &Thunk<Val>, patch: Val) -> Result<Val> {
    let Val::Obj(patch) = patch else { return Ok(patch) };
    let target = match target.evaluate()? {
        Val::Obj(target) => target,
        _ => ObjValue::empty(),
    };
    let (kept, patched) = (target.fields(), patch.fields());
    let mut builder = ObjValueBuilder::with_capacity(kept.len() + patched.len());
    for name in &kept {
        if patched.binary_search(name).is_err() {
            builder.field(name.clone()).thunk(field(&target, name));
        }
    }
    for name in patched {
        let value = patch.get(name.clone())?.unwrap_or(Val::Null);
        if matches!(value, Val::Null) {
            continue;
        }
        let below = match target.has_field(name.clone()) {
            true => field(&target, &name),
            false => Thunk::evaluated(Val::Null),
        };
        if matches!(value, Val::Obj(_)) {
            builder.field(name).thunk(thunk_of!(move || merge_patch(&below, value)));
        } else {
            // A replaced field is computed nevertheless whenever its replacement is.
            builder.field(name).thunk(thunk_of!(move || below.evaluate().map(|_| value)));
        }
    }
    Ok(Val::Obj(builder.build()))
}
