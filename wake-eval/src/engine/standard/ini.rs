//! INI output.

use jrsonnet_evaluator::{ObjValue, Result, Val};

use super::json_text::text_of;
use crate::engine::note::{Note, refuse};

/// Writes `main` and `sections` of an object as INI.
pub(super) fn text(ini: &ObjValue) -> Result<String> {
    let mut out = String::new();
    if ini.has_field("main".into()) {
        body(&section(ini, "main")?, &mut out)?;
    }
    let sections = section(ini, "sections")?;
    for name in sections.fields() {
        out.push_str(&format!("[{name}]\n"));
        body(&section(&sections, &name)?, &mut out)?;
    }
    Ok(out)
}

fn section(object: &ObjValue, name: &str) -> Result<ObjValue> {
    match object.get(name.into())? {
        Some(Val::Obj(section)) => Ok(section),
        _ => refuse!(Note::new(format!("`{name}` of an INI document must be an object"))),
    }
}

fn body(section: &ObjValue, out: &mut String) -> Result<()> {
    for name in section.fields() {
        let mut line = |value: &Val| -> Result<()> {
            out.push_str(&format!("{name} = {}\n", text_of(value)?));
            Ok(())
        };
        match section.get(name.clone())? {
            Some(Val::Arr(values)) => {
                for value in values.iter() {
                    line(&value?)?;
                }
            }
            Some(value) => line(&value)?,
            None => {}
        }
    }
    Ok(())
}
