//! The default value of a parameter, which the engine evaluates only inside a call and does not expose.

use jrsonnet_evaluator::analyze::{LExpr, LFieldName, LObjBody, LObjMembers};
use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_ir::{UnaryOpType, Visibility};
use serde_json::{Map, Value};

use super::json::json_number;
use super::text::{Kind, Lexeme, closes, opens, stretch, tokens};

/// The suffix of the name of a text that replaces part of the file of that name.
pub(crate) const OVERLAY: &str = "#default";

/// Returns the default of the parameter at `index` if it is a literal, without evaluating anything.
pub(crate) fn plain_default(function: &FuncVal, index: usize) -> Option<Value> {
    let FuncVal::Normal(function) = function else { return None };
    let (_, expression) = function.func.params.get(index)?.default.as_ref()?;
    plain(expression)
}

/// Rewrites a file whose last expression is a function: its body is replaced by its parameter `name`, so that a call
/// without that argument yields the default.
pub(crate) fn yielding(text: &str, name: &str) -> Option<String> {
    let tokens = tokens(text);
    let mut depth = 0_usize;
    let mut body = None;
    for (at, token) in tokens.iter().enumerate() {
        let starts = at == 0 || (depth == 0 && tokens[at - 1].kind == Kind::Semicolon);
        if starts && token.text == "function" {
            body = params_end(&tokens[at + 1..], name).or(body);
        }
        depth = (depth + usize::from(opens(token))).saturating_sub(closes(token).into());
    }
    Some(format!("{} {name}", &text[..body?]))
}

/// Returns where the parenthesis at the start of `tokens` closes, if a parameter in it is called `name`.
fn params_end(tokens: &[Lexeme<'_>], name: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut named = false;
    for token in tokens {
        named |= depth == 1 && token.text == name;
        depth = (depth + usize::from(opens(token))).checked_sub(closes(token).into())?;
        if depth == 0 {
            return named.then_some(stretch(token).end);
        }
    }
    None
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
