//! XML output of JsonML: `['tag', { attribute: value }, child, ...]`.

use jrsonnet_evaluator::{Result, Val};

use super::json_text::text_of;
use crate::engine::note::{Note, refuse};

/// Writes an element. Nothing is escaped: `std.escapeStringXML` does that.
pub(super) fn text(element: &Val) -> Result<String> {
    let mut out = String::new();
    write(element, &mut out)?;
    Ok(out)
}

fn write(element: &Val, out: &mut String) -> Result<()> {
    let parts = match element {
        Val::Str(text) => {
            out.push_str(&text.clone().into_flat());
            return Ok(());
        }
        Val::Arr(parts) => parts,
        _ => refuse!(Note::new("an element of JsonML must be a list or a string")),
    };
    let Some(Val::Str(tag)) = parts.get(0)? else {
        refuse!(Note::new("an element of JsonML must start with its name"));
    };
    let tag = tag.into_flat();
    out.push_str(&format!("<{tag}"));
    let mut children = 1;
    if let Some(Val::Obj(attributes)) = parts.get(1)? {
        children = 2;
        for name in attributes.fields() {
            let value = attributes.get(name.clone())?.unwrap_or(Val::Null);
            out.push_str(&format!(" {name}=\"{}\"", text_of(&value)?));
        }
    }
    out.push('>');
    for index in children..parts.len() {
        write(&parts.get(index)?.unwrap_or(Val::Null), out)?;
    }
    out.push_str(&format!("</{tag}>"));
    Ok(())
}
