use std::collections::HashSet;

use super::{Json, Member, Source, Value};
use crate::DocumentError;

/// How deep values can be nested; formulas need six levels.
const MAX_DEPTH: usize = 64;

pub(super) fn parse(source: &Source<'_>) -> Result<Json, DocumentError> {
    let start = if source.text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut parser = Parser { source, at: start, depth: 0 };
    let root = parser.value()?;
    parser.skip_space();
    if parser.at < source.text.len() {
        return Err(source.error(parser.at, "text follows the end of the document"));
    }
    Ok(root)
}

struct Parser<'a> {
    source: &'a Source<'a>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Json, DocumentError> {
        self.skip_space();
        let at = self.at;
        let value = match self.peek() {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::array)?,
            Some('"') => Value::Text(self.string()?),
            Some('-' | '0'..='9') => Value::Number(self.number()?),
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            Some(c) => {
                return Err(self.error(format!("`{}` does not start a value", c.escape_debug())));
            }
            None => return Err(self.error("the document ends where a value is expected")),
        };
        Ok(Json { at, value })
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value, DocumentError>,
    ) -> Result<Value, DocumentError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("values are nested more than {MAX_DEPTH} levels deep")));
        }
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, DocumentError> {
        let mut members: Vec<Member> = Vec::new();
        let mut keys = HashSet::new();
        while !self.ends_with('}', members.is_empty())? {
            let key_at = self.at;
            if self.peek() != Some('"') {
                return Err(self.error("expected a key in double quotes"));
            }
            let key = self.string()?;
            if !keys.insert(key.clone()) {
                return Err(self
                    .source
                    .error(key_at, format!("duplicate key `{key}` in one object")));
            }
            self.skip_space();
            if self.peek() != Some(':') {
                return Err(self.error(format!("expected `:` after key `{key}`")));
            }
            self.at += 1;
            let value = self.value()?;
            members.push(Member { key, key_at, value });
        }
        Ok(Value::Object(members))
    }

    fn array(&mut self) -> Result<Value, DocumentError> {
        let mut items = Vec::new();
        while !self.ends_with(']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::Array(items))
    }

    /// Takes the comma before the next item, if this is not the first, or the closing bracket, or both.
    ///
    /// Published documents lack commas between items, which their own parsers do not require.
    fn ends_with(&mut self, bracket: char, first: bool) -> Result<bool, DocumentError> {
        self.skip_space();
        if !first && self.peek() == Some(',') {
            self.at += 1;
            self.skip_space();
        }
        if self.peek().is_none() {
            return Err(self.error(format!("the document ends where `{bracket}` is expected")));
        }
        if self.peek() == Some(bracket) {
            self.at += 1;
            return Ok(true);
        }
        Ok(false)
    }

    fn string(&mut self) -> Result<String, DocumentError> {
        let start = self.at;
        let mut end = start + 1;
        let bytes = self.source.text.as_bytes();
        loop {
            match bytes.get(end) {
                None | Some(b'\n') => {
                    return Err(self.source.error(start, "unterminated string"));
                }
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        self.at = end + 1;
        // serde_json decodes escapes.
        serde_json::from_str(&self.source.text[start..=end]).map_err(|error| {
            self.source.error(start, format!("this string is malformed: {}", plain(&error)))
        })
    }

    fn number(&mut self) -> Result<String, DocumentError> {
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => {
                Err(self.source.error(self.at - text.len(), format!("`{text}` is not a number")))
            }
        }
    }

    fn word(&mut self) -> Result<Value, DocumentError> {
        match self.take_while(|c| c.is_alphanumeric() || c == '_') {
            "null" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            word => Err(self.source.error(
                self.at - word.len(),
                format!("`{word}` is not a value: strings are written in double quotes"),
            )),
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest: &'a str = &self.source.text[self.at..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_space(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    fn peek(&self) -> Option<char> {
        self.source.text[self.at..].chars().next()
    }

    fn error(&self, message: impl Into<String>) -> DocumentError {
        self.source.error(self.at, message)
    }
}

/// Returns a message of serde_json without its place, which refers to the fragment.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line").next().unwrap_or(&text).to_owned()
}
