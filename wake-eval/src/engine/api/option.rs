//! `option`: a build-wide value that a person or the root package can set.

use jrsonnet_evaluator::{Result, Val};
use serde_json::Value;

use super::call::{Call, Param, Spec};
use crate::SetValue;
use crate::engine::env::{Early, ImportablePkgs};
use crate::engine::json::{from_json, json_kind};
use crate::engine::note::{Nature, Note, refuse};

pub(crate) static OPTION: Spec = Spec {
    name: "wake.option",
    params: &[Param::required("name"), Param::required("default")],
    member: true,
    run: option,
};

/// The maximum length of a name, in characters.
const LONGEST_NAME: usize = 100;

/// Whether `name` is valid for an option: letters, digits, `_`, `-` and `.`, starting with a letter.
pub(crate) fn is_option_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(fits)
}

fn option(call: &Call<'_>) -> Result<Val> {
    let name = call.required_text("name")?;
    if !is_option_name(&name) {
        refuse!(call.fault(
            "name",
            "must consist of letters, digits, `_`, `-` and `.`, and start with a letter, such as 'cc.opt'"
        ));
    }
    let default = call.json("default")?;
    if default.is_null() {
        refuse!(call.fault("default", "must be a value: its type is the type of the option"));
    }
    if matches!(*call.env.pkgs.borrow(), ImportablePkgs::Unknown) {
        let message = match call.env.early.get() {
            Early::Settings => "`options` and `profiles` set options, and cannot depend on one",
            Early::Finding | Early::Alone => {
                "the root package sets options, and is loaded from `pkgInfo`, `files` and `pkgs`, which cannot depend on one"
            }
        };
        return Err(Note::new(message).nature(Nature::NeedsOptions).into());
    }
    let Some(setting) = call.env.world.option(&name)? else { return Ok(from_json(&default)) };
    let value = match &setting.value {
        SetValue::Json(value) => Some(value.clone()),
        SetValue::Text(text) => typed(text, &default),
    };
    match value {
        Some(value) if is_alike(&value, &default) => Ok(from_json(&value)),
        value => {
            let (by, kind) = (&setting.by, json_kind(&default));
            let mut message = format!("{by}: the option `{name}` must be {kind}, like its default");
            if let Some(value) = value {
                message.push_str(&format!(", not {}", json_kind(&value)));
            }
            Err(Note::new(message).argument("default").option(&name).into())
        }
    }
}

/// Parses `text`, typed by a person, for an option whose default is `default`; `None` if it has the wrong type.
fn typed(text: &str, default: &Value) -> Option<Value> {
    match default {
        Value::String(_) => Some(Value::String(text.to_owned())),
        _ => serde_json::from_str(text).ok(),
    }
}

fn is_alike(value: &Value, default: &Value) -> bool {
    std::mem::discriminant(value) == std::mem::discriminant(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn typed_text_gets_the_type_of_the_default() {
        assert_eq!(typed("3", &json!("2")), Some(json!("3")));
        assert_eq!(typed("3", &json!(2)), Some(json!(3)));
        assert_eq!(typed("yes", &json!(2)), None);
        assert_eq!(typed("[\"a\"]", &json!([])), Some(json!(["a"])));
        assert!(!is_alike(&json!("x"), &json!(true)));
    }
}
