//! References as they are written.

use std::fmt;

use jrsonnet_evaluator::{Result, Val};
use serde::{Deserialize, Serialize};
use wake_model::Reflike;
use wake_model::reflike::{HEADS, ReflikeError};

/// A reference as written: a string, or a list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum WrittenReference {
    Text(String),
    List(Vec<String>),
}

/// A reference, and its parsed form.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) written: WrittenReference,
    pub(crate) reflike: Reflike,
}

impl WrittenReference {
    /// Returns the reference that `value` is, if it has the form of one: a string, or a list that starts like a
    /// reference.
    pub(crate) fn of(value: &Val) -> Result<Option<WrittenReference>> {
        match value {
            Val::Str(text) => {
                Ok(Some(WrittenReference::Text(text.into_flat().as_str().to_owned())))
            }
            Val::Arr(items) => {
                let mut parts = Vec::with_capacity(items.len().min(8) as usize);
                for item in items.iter() {
                    let Val::Str(part) = item? else { return Ok(None) };
                    parts.push(part.into_flat().as_str().to_owned());
                }
                let starts = parts.first().is_some_and(|head| HEADS.contains(&head.as_str()))
                    || (parts.len() == 1 && parts[0].starts_with("./"));
                Ok(starts.then_some(WrittenReference::List(parts)))
            }
            _ => Ok(None),
        }
    }

    /// Parses the reference.
    pub(crate) fn parse(&self) -> std::result::Result<Reflike, ReflikeError> {
        match self {
            WrittenReference::Text(text) => text.parse(),
            WrittenReference::List(parts) => Reflike::from_parts(parts),
        }
    }
}

impl fmt::Display for WrittenReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrittenReference::Text(text) => f.write_str(text),
            WrittenReference::List(parts) => {
                let quoted: Vec<String> = parts.iter().map(|part| format!("'{part}'")).collect();
                write!(f, "[{}]", quoted.join(", "))
            }
        }
    }
}
