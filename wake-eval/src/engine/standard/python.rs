//! Python output.

use jrsonnet_evaluator::{ObjValue, Result, Val};

use super::json_text::{escape, text_of};
use crate::engine::note::{Note, refuse};

/// Writes a value as an expression.
pub(super) fn text(value: &Val) -> Result<String> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

/// Writes the fields of an object as variables, one per line.
pub(super) fn variables(object: &ObjValue) -> Result<String> {
    let mut out = String::new();
    for name in object.fields() {
        let value = object.get(name.clone())?.unwrap_or(Val::Null);
        out.push_str(&format!("{name} = "));
        write(&value, &mut out)?;
        out.push('\n');
    }
    Ok(out)
}

fn write(value: &Val, out: &mut String) -> Result<()> {
    match value {
        Val::Null => out.push_str("None"),
        Val::Bool(true) => out.push_str("True"),
        Val::Bool(false) => out.push_str("False"),
        Val::Num(_) => out.push_str(&text_of(value)?),
        Val::Str(text) => escape(&text.clone().into_flat(), out),
        Val::Arr(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write(&item?, out)?;
            }
            out.push(']');
        }
        Val::Obj(object) => {
            object.run_assertions()?;
            out.push('{');
            for (index, name) in object.fields().into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                escape(&name, out);
                out.push_str(": ");
                write(&object.get(name)?.unwrap_or(Val::Null), out)?;
            }
            out.push('}');
        }
        Val::Func(_) => refuse!(Note::new("a function cannot be written as Python")),
    }
    Ok(())
}
