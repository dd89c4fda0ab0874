//! JSON with source positions, tolerant of commas before closing brackets and of missing commas between items.

mod parser;
mod print;
mod read;

pub(crate) use print::{map, object, pretty, text, texts};
pub(crate) use read::{Fields, Read};

use crate::DocumentError;

/// A text, and the name of its file.
pub(crate) struct Source<'a> {
    text: &'a str,
    file: &'a str,
}

/// A value, with its position.
#[derive(Debug)]
pub(crate) struct Json {
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// The number as written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<Member>),
}

/// One key of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_at: usize,
    pub(crate) value: Json,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str, file: &'a str) -> Self {
        Self { text, file }
    }

    /// Parses the whole text as one value.
    pub(crate) fn parse(&self) -> Result<Json, DocumentError> {
        parser::parse(self)
    }

    /// Returns an error at byte `at`.
    pub(crate) fn error(&self, at: usize, message: impl Into<String>) -> DocumentError {
        let at = at.min(self.text.len());
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline);
        DocumentError {
            file: self.file.to_owned(),
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[start..at].chars().count() + 1,
            source_line: self.text[start..end].trim_end_matches('\r').to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// Returns an error with a hint.
    pub(crate) fn error_with_hint(
        &self,
        at: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> DocumentError {
        DocumentError { hint: Some(hint.into()), ..self.error(at, message) }
    }
}

impl Json {
    /// Returns the value of `key`, if this is an object that has it.
    pub(crate) fn member(&self, key: &str) -> Option<&Json> {
        match &self.value {
            Value::Object(members) => {
                members.iter().find(|member| member.key == key).map(|member| &member.value)
            }
            _ => None,
        }
    }

    /// Returns the kind of the value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}
