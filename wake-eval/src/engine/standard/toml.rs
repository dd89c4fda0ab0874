//! TOML output.

use jrsonnet_evaluator::{IStr, ObjValue, Result, Val};

use super::json_text::{escape, text_of};
use crate::engine::note::{Note, refuse};

/// Writes an object as TOML; tables are indented by `indent`.
pub(super) fn text(object: &ObjValue, indent: &str) -> Result<String> {
    let mut writer = Writer { out: String::new(), indent, path: Vec::new() };
    writer.table(object, "")?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: String,
    indent: &'a str,
    /// The keys of the current table.
    path: Vec<IStr>,
}

impl Writer<'_> {
    /// Writes the content of a table: first its values, then its subtables, each after an empty line.
    fn table(&mut self, object: &ObjValue, margin: &str) -> Result<()> {
        object.run_assertions()?;
        let mut sections = Vec::new();
        let mut first = true;
        for name in object.fields() {
            let value = object.get(name.clone())?.unwrap_or(Val::Null);
            if is_section(&value)? {
                sections.push((name, value));
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push('\n');
            }
            self.out.push_str(margin);
            self.key(&name);
            self.out.push_str(" = ");
            self.path.push(name);
            self.value(&value, margin, false)?;
            self.path.pop();
        }
        for (name, value) in sections {
            self.out.push_str("\n\n");
            self.path.push(name);
            match value {
                Val::Obj(table) => self.section(&table, margin, "[", "]")?,
                Val::Arr(tables) => {
                    for (index, table) in tables.iter().enumerate() {
                        self.out.push_str(if index > 0 { "\n\n" } else { "" });
                        if let Val::Obj(table) = table? {
                            self.section(&table, margin, "[[", "]]")?;
                        }
                    }
                }
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn section(&mut self, table: &ObjValue, margin: &str, open: &str, close: &str) -> Result<()> {
        self.out.push_str(margin);
        self.out.push_str(open);
        for (index, name) in self.path.clone().iter().enumerate() {
            self.out.push_str(if index > 0 { "." } else { "" });
            self.key(name);
        }
        self.out.push_str(close);
        if !table.fields().is_empty() {
            self.out.push('\n');
        }
        self.table(table, &format!("{margin}{}", self.indent))
    }

    fn key(&mut self, name: &str) {
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.chars().all(bare) {
            self.out.push_str(name);
        } else {
            escape(name, &mut self.out);
        }
    }

    fn value(&mut self, value: &Val, margin: &str, inline: bool) -> Result<()> {
        match value {
            Val::Bool(_) | Val::Num(_) => self.out.push_str(&text_of(value)?),
            Val::Str(text) => escape(&text.clone().into_flat(), &mut self.out),
            Val::Arr(items) if items.is_empty() => self.out.push_str("[]"),
            Val::Arr(items) => {
                let (separator, inner) = match inline {
                    true => (" ", String::new()),
                    false => ("\n", format!("{margin}{}", self.indent)),
                };
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.out.push_str(if index > 0 { "," } else { "" });
                    self.out.push_str(separator);
                    self.out.push_str(&inner);
                    self.value(&item?, "", true)?;
                }
                self.out.push_str(separator);
                self.out.push_str(if inline { "" } else { margin });
                self.out.push(']');
            }
            Val::Obj(object) => {
                self.out.push_str("{ ");
                for (index, name) in object.fields().into_iter().enumerate() {
                    self.out.push_str(if index > 0 { ", " } else { "" });
                    self.key(&name);
                    self.out.push_str(" = ");
                    let value = object.get(name)?.unwrap_or(Val::Null);
                    self.value(&value, "", true)?;
                }
                self.out.push_str(" }");
            }
            Val::Null => {
                let path = self.path.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(".");
                refuse!(Note::new(format!("TOML has no null, but `{path}` is null")));
            }
            Val::Func(_) => refuse!(Note::new("a function cannot be written as TOML")),
        }
        Ok(())
    }
}

/// Whether a value is written as a table of its own: an object, or a list of objects.
fn is_section(value: &Val) -> Result<bool> {
    match value {
        Val::Obj(_) => Ok(true),
        Val::Arr(items) => {
            for item in items.iter() {
                if !matches!(item?, Val::Obj(_)) {
                    return Ok(false);
                }
            }
            Ok(!items.is_empty())
        }
        _ => Ok(false),
    }
}
