//! The default of a parameter, where it is written out as a plain value.

use jrsonnet_evaluator::analyze::{LExpr, LFieldName, LObjBody, LObjMembers};
use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_ir::{UnaryOpType, Visibility};
use serde_json::{Map, Number, Value};

/// The default of the parameter at `index`; none if it has none or if it takes computing to know it.
///
/// The engine evaluates defaults only inside a call and does not show them, so they are read from the program.
pub(crate) fn default_of(function: &FuncVal, index: usize) -> Option<Value> {
    let FuncVal::Normal(function) = function else { return None };
    let (_, expression) = function.func.params.get(index)?.default.as_ref()?;
    plain(expression)
}

fn plain(expression: &LExpr) -> Option<Value> {
    match expression {
        LExpr::Null => Some(Value::Null),
        LExpr::Bool(flag) => Some(Value::Bool(*flag)),
        LExpr::Str(text) => Some(Value::String(text.to_string())),
        LExpr::Num(number) => json_number(number.get()),
        LExpr::UnaryOp(UnaryOpType::Minus, inner) => match plain(inner)? {
            Value::Number(number) => json_number(-number.as_f64()?),
            _ => None,
        },
        LExpr::Arr { items, .. } => {
            items.iter().map(plain).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        LExpr::Obj(LObjBody::MemberList(members)) => object(members),
        _ => None,
    }
}

fn object(members: &LObjMembers) -> Option<Value> {
    if members.asserts.is_some() || members.uses_super {
        return None;
    }
    let mut map = Map::new();
    for field in &members.fields {
        let LFieldName::Fixed(name) = &field.name else { return None };
        if field.plus || matches!(field.visibility, Visibility::Hidden) {
            return None;
        }
        map.insert(name.to_string(), plain(&field.value.1)?);
    }
    Some(Value::Object(map))
}

fn json_number(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        return Some(Value::Number(Number::from(number as i64)));
    }
    Number::from_f64(number).map(Value::Number)
}
