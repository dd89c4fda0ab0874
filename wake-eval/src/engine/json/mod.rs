//! Conversion between values and JSON where nothing needs to be computed.

pub(crate) mod write;
mod shown;

pub(crate) use shown::shown;
pub(crate) use wake_model::json::kind as json_kind;

use jrsonnet_evaluator::{NumValue, ObjValueBuilder, Val};
use serde_json::{Number, Value};

/// Converts a number to JSON, as an integer if it is an exact one; `None` if it is not finite.
pub(crate) fn json_number(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Some(Value::Number(Number::from(number as i64)));
    }
    Number::from_f64(number).map(Value::Number)
}

/// Converts JSON to a value.
pub(crate) fn from_json(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Number(number) => {
            number.as_f64().and_then(NumValue::new).map_or(Val::Null, Val::Num)
        }
        Value::String(text) => Val::string(text.as_str()),
        Value::Array(items) => Val::Arr(items.iter().map(from_json).collect()),
        Value::Object(fields) => {
            let mut builder = ObjValueBuilder::with_capacity(fields.len());
            for (name, value) in fields {
                builder.field(name.as_str()).value(from_json(value));
            }
            Val::Obj(builder.build())
        }
    }
}

/// Returns the kind of a value, with its article: `a string`.
pub(crate) fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::Str(_) => "a string",
        Val::Arr(_) => "a list",
        Val::Obj(_) => "an object",
        Val::Func(_) => "a function",
    }
}
