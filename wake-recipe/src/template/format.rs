//! Templates with `{name}`, as in Python's `str.format`: `{{` is a literal brace, `{params[cores]}` an entry.

use serde_json::Value;
use wake_yaml::DocumentError;

use super::{Values, Written, undefined};

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct FormatText(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// A name with its keys, joined by dots, and its offset.
    Field(String, usize),
}

impl FormatText {
    pub(super) fn read(written: &Written) -> Result<FormatText, DocumentError> {
        let text = &written.text;
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text.char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            let next_is = |rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>| {
                rest.next_if(|(_, next)| *next == c).is_some()
            };
            match c {
                '{' | '}' if next_is(&mut rest) => plain.push(c),
                '}' => {
                    let error = written.error_at(at, "unmatched `}`");
                    return Err(error.with_hint("write `}}` for a literal brace"));
                }
                '{' => {
                    let Some(length) = text[at..].find('}') else {
                        let error = written.error_at(at, "unclosed `{`");
                        return Err(error.with_hint("write `{{` for a literal brace"));
                    };
                    let name = field(&text[at + 1..at + length]).ok_or_else(|| {
                        let field = &text[at..=at + length];
                        let error =
                            written.error_at(at, format!("`{field}` is not a valid placeholder"));
                        error.with_hint(
                            "write `{name}` or `{name[key]}`, or `{{` for a literal brace",
                        )
                    })?;
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Field(name, at));
                    while rest.next_if(|(next, _)| *next <= at + length).is_some() {}
                }
                c => plain.push(c),
            }
        }
        pieces.push(Piece::Text(plain));
        Ok(FormatText(pieces))
    }

    pub(super) fn names(&self) -> Vec<String> {
        let name = |piece: &Piece| match piece {
            Piece::Field(name, _) => Some(name.clone()),
            Piece::Text(_) => None,
        };
        self.0.iter().filter_map(name).collect()
    }

    pub(super) fn render(
        &self,
        written: &Written,
        values: &Values,
    ) -> Result<String, DocumentError> {
        let mut whole = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Field(name, at) => {
                    let value = lookup(name, values).ok_or_else(|| {
                        let (message, hint) = undefined(name, values);
                        DocumentError { hint, ..written.error_at(*at, message) }
                    })?;
                    whole.push_str(&shown(value));
                }
            }
        }
        Ok(whole)
    }
}

/// Returns the name and keys of a field, joined by dots.
fn field(text: &str) -> Option<String> {
    let dotted = text.replace('[', ".").replace(']', "");
    let is_name = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    };
    dotted.split('.').all(is_name).then_some(dotted)
}

fn lookup<'v>(name: &str, values: &'v Values) -> Option<&'v Value> {
    let mut parts = name.split('.');
    let mut value = values.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

/// Formats a value as Python does.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => "None".to_owned(),
        other => other.to_string(),
    }
}
