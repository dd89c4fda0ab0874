//! YAML output.

use jrsonnet_evaluator::val::ArrValue;
use jrsonnet_evaluator::{Result, Val};

use super::json_text::{escape, text_of};
use crate::engine::note::{Note, refuse};

/// The style of the output.
pub(super) struct Style {
    /// Whether a list in an object is indented.
    pub(super) indents_lists: bool,
    /// Whether keys are quoted even if they need no quotes.
    pub(super) quotes_keys: bool,
}

/// The indentation per level.
const INDENT: &str = "  ";

impl Style {
    /// Writes one document.
    pub(super) fn text(&self, value: &Val) -> Result<String> {
        let mut out = String::new();
        self.write(value, "", &mut out)?;
        Ok(out)
    }

    /// Writes a stream of documents, optionally with the mark that ends the last one.
    pub(super) fn stream(&self, documents: &ArrValue, ends: bool) -> Result<String> {
        let mut out = "---\n".to_owned();
        for (index, document) in documents.iter().enumerate() {
            out.push_str(if index > 0 { "\n---\n" } else { "" });
            self.write(&document?, "", &mut out)?;
        }
        out.push_str(if ends { "\n...\n" } else { "\n" });
        Ok(out)
    }

    fn write(&self, value: &Val, margin: &str, out: &mut String) -> Result<()> {
        match value {
            Val::Null | Val::Bool(_) | Val::Num(_) => out.push_str(&text_of(value)?),
            Val::Str(text) => {
                let text = text.clone().into_flat();
                match text.strip_suffix('\n') {
                    Some(lines) => {
                        out.push('|');
                        for line in lines.split('\n') {
                            out.push_str(&format!("\n{margin}{INDENT}{line}"));
                        }
                    }
                    None => escape(&text, out),
                }
            }
            Val::Arr(items) if items.is_empty() => out.push_str("[]"),
            Val::Arr(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(&format!("\n{margin}"));
                    }
                    out.push('-');
                    let item = item?;
                    let inner = match shape(&item) {
                        Shape::Flat => margin.to_owned(),
                        Shape::List | Shape::Object => format!("{margin}{INDENT}"),
                    };
                    match shape(&item) {
                        Shape::List => out.push_str(&format!("\n{inner}")),
                        Shape::Flat | Shape::Object => out.push(' '),
                    }
                    self.write(&item, &inner, out)?;
                }
            }
            Val::Obj(object) => {
                object.run_assertions()?;
                let fields = object.fields();
                if fields.is_empty() {
                    out.push_str("{}");
                }
                for (index, name) in fields.into_iter().enumerate() {
                    if index > 0 {
                        out.push_str(&format!("\n{margin}"));
                    }
                    if !self.quotes_keys && is_plain(&name) {
                        out.push_str(&name);
                    } else {
                        escape(&name, out);
                    }
                    out.push(':');
                    let value = object.get(name)?.unwrap_or(Val::Null);
                    let inner = match shape(&value) {
                        Shape::Flat => margin.to_owned(),
                        Shape::List if !self.indents_lists => margin.to_owned(),
                        Shape::List | Shape::Object => format!("{margin}{INDENT}"),
                    };
                    match shape(&value) {
                        Shape::Flat => out.push(' '),
                        Shape::List | Shape::Object => out.push_str(&format!("\n{inner}")),
                    }
                    self.write(&value, &inner, out)?;
                }
            }
            Val::Func(_) => refuse!(Note::new("a function cannot be written as YAML")),
        }
        Ok(())
    }
}

/// Whether a value is written on lines of its own.
#[derive(Clone, Copy)]
enum Shape {
    Flat,
    List,
    Object,
}

fn shape(value: &Val) -> Shape {
    match value {
        Val::Arr(items) if !items.is_empty() => Shape::List,
        Val::Obj(object) if !object.fields().is_empty() => Shape::Object,
        _ => Shape::Flat,
    }
}

/// Whether a key can be written without quotes, by the rules of the language's library.
fn is_plain(key: &str) -> bool {
    const WORDS: [&str; 16] = [
        "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", "-.inf", "+.inf", ".inf",
        "null", "-", "---", "",
    ];
    let only = |allowed: &str| {
        key.chars().all(|c| c.is_ascii_digit() || allowed.contains(c.to_ascii_lowercase()))
    };
    let count = |wanted: char| key.chars().filter(|c| c.eq_ignore_ascii_case(&wanted)).count();
    let unsigned = key.strip_prefix('-').unwrap_or(key);
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let is_date = only("-") && count('-') == 2;
    let is_whole = only("-_") && count('-') < 2;
    let is_binary = only("-_b") && unsigned.starts_with("0b") && key.len() > 2;
    let is_fraction = only("-_e.") && count('e') < 2 && count('-') < 3 && count('.') <= 1;
    let is_hexadecimal =
        only("-_xabcdef") && key.len() >= 3 && count('-') < 2 && unsigned.starts_with("0x");
    key.chars().all(is_safe)
        && !WORDS.iter().any(|word| key.eq_ignore_ascii_case(word))
        && !(is_date || is_whole || is_binary || is_fraction || is_hexadecimal)
}
