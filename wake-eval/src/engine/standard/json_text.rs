//! JSON output in the forms that the language defines.

use jrsonnet_evaluator::{IStr, Result, Val};

use super::number;
use crate::engine::note::{Note, refuse};

/// The separators of a JSON text.
pub(crate) struct Layout<'a> {
    /// The indentation per level.
    pub(crate) indent: &'a str,
    pub(crate) newline: &'a str,
    /// Between a name and its value.
    pub(crate) colon: &'a str,
    /// After the comma between two values.
    pub(crate) gap: &'a str,
    /// The content of an empty list or object; `None` for an empty line.
    pub(crate) hollow: Option<&'a str>,
}

/// The form in which values are concatenated to strings: `{"a": [1, 2]}`.
pub(crate) const INLINE: Layout<'static> =
    Layout { indent: "", newline: "", colon: ": ", gap: " ", hollow: Some(" ") };

/// The maximum nesting of values.
const DEPTH: usize = 500;

/// Converts a value to a string: itself if it is one, else JSON on one line.
pub(crate) fn text_of(value: &Val) -> Result<IStr> {
    Ok(match value {
        Val::Str(text) => text.into_flat(),
        Val::Bool(true) => "true".into(),
        Val::Bool(false) => "false".into(),
        Val::Null => "null".into(),
        Val::Num(number) => number::text(number.get()).into(),
        Val::Arr(_) | Val::Obj(_) | Val::Func(_) => json_text(value, &INLINE)?.into(),
    })
}

/// Converts a value to JSON.
pub(crate) fn json_text(value: &Val, layout: &Layout<'_>) -> Result<String> {
    let mut writer = Writer { text: String::new(), layout, level: 0 };
    writer.value(value)?;
    Ok(writer.text)
}

struct Writer<'a> {
    text: String,
    layout: &'a Layout<'a>,
    level: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Val) -> Result<()> {
        match value {
            Val::Null => self.text.push_str("null"),
            Val::Bool(true) => self.text.push_str("true"),
            Val::Bool(false) => self.text.push_str("false"),
            Val::Num(number) => self.text.push_str(&number::text(number.get())),
            Val::Str(text) => escape(&text.into_flat(), &mut self.text),
            Val::Arr(items) => {
                self.enter()?;
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.value(&item?)?;
                }
                self.leave(items.is_empty(), ']');
            }
            Val::Obj(object) => {
                self.enter()?;
                object.run_assertions()?;
                self.text.push('{');
                let fields = object.fields();
                let empty = fields.is_empty();
                for (index, name) in fields.into_iter().enumerate() {
                    self.separate(index);
                    escape(&name, &mut self.text);
                    self.text.push_str(self.layout.colon);
                    let value = object.get(name)?.unwrap_or(Val::Null);
                    self.value(&value)?;
                }
                self.leave(empty, '}');
            }
            Val::Func(_) => refuse!(Note::new("a function cannot be written as JSON")),
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<()> {
        self.level += 1;
        if self.level > DEPTH {
            refuse!(Note::new(format!("values to be written as text nest more than {DEPTH} deep")));
        }
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.text.push(',');
            self.text.push_str(self.layout.gap);
        }
        self.line();
    }

    fn line(&mut self) {
        self.text.push_str(self.layout.newline);
        for _ in 0..self.level {
            self.text.push_str(self.layout.indent);
        }
    }

    fn leave(&mut self, empty: bool, end: char) {
        self.level -= 1;
        match self.layout.hollow {
            Some(hollow) if empty => self.text.push_str(hollow),
            _ => {
                if empty {
                    self.text.push_str(self.layout.newline);
                }
                self.line();
            }
        }
        self.text.push(end);
    }
}

/// Writes a string in quotes, with the escapes of JSON and of the language.
pub(crate) fn escape(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (at, character) in text.char_indices() {
        let short = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + character.len_utf8();
        if short.is_empty() {
            out.push_str(&format!("\\u{:04x}", character as u32));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}
