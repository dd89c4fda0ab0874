//! Reading of mappings, which ensures that no key is overlooked.

use std::sync::Arc;

use wake_model::nearest::nearest;

use crate::error::DocumentError;
use crate::text::Mark;
use crate::tree::{Entry, Node, Value};
use crate::{Yaml, resolved};

/// The entries of a mapping that have not been read yet.
#[derive(Clone)]
pub struct Fields<'a> {
    entries: Vec<&'a Entry>,
    at: Mark,
    what: String,
    known: Vec<&'static str>,
}

/// Returns the kind of a node, with its article.
pub fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "null",
        Value::Text { .. } => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// Returns the error for a node of the wrong kind.
pub fn mismatch(yaml: &Yaml, node: &Node, what: &str, expected: &str) -> DocumentError {
    yaml.source.error(node.at, format!("{what} is {}: expected {expected}", kind(node)))
}

/// Returns the text of a scalar, with a warning if YAML reads it as a different value.
pub fn text(yaml: &mut Yaml, node: &Node, what: &str) -> Result<String, DocumentError> {
    let Value::Text { text, quoted } = &node.value else {
        return Err(mismatch(yaml, node, what, "a string"));
    };
    if let Some(value) = resolved::other_than_written(text).filter(|_| !quoted) {
        let message = format!(
            "YAML and {} read `{text}` as `{value}`; wake reads it as `{text}`",
            yaml.written_for
        );
        let warning = yaml.source.error(node.at, message);
        let warning = warning.with_hint(format!("write `\"{text}\"`"));
        yaml.warn(warning);
    }
    Ok(text.clone())
}

/// Returns the items of a list; null counts as an empty one.
pub fn list<'a>(yaml: &Yaml, node: &'a Node, what: &str) -> Result<&'a [Arc<Node>], DocumentError> {
    match &node.value {
        Value::Null => Ok(&[]),
        Value::List(items) => Ok(items),
        _ => Err(mismatch(yaml, node, what, "a list")),
    }
}

/// Returns strings that may be written as a list or as a single string.
pub fn list_or_one(
    yaml: &mut Yaml,
    node: &Node,
    what: &str,
) -> Result<Vec<(String, Mark)>, DocumentError> {
    match &node.value {
        Value::List(items) => {
            items.iter().map(|item| Ok((text(yaml, item, what)?, item.at))).collect()
        }
        _ => Ok(vec![(text(yaml, node, what)?, node.at)]),
    }
}

impl<'a> Fields<'a> {
    /// Starts to read `node`, which must be a mapping; null counts as an empty one. `what` names it in messages.
    pub fn of(yaml: &Yaml, node: &'a Node, what: &str) -> Result<Self, DocumentError> {
        let entries = match &node.value {
            Value::Null => Vec::new(),
            Value::Map(entries) => entries.iter().collect(),
            _ => return Err(mismatch(yaml, node, what, "a mapping")),
        };
        Ok(Self { entries, at: node.at, what: what.to_owned(), known: Vec::new() })
    }

    /// Takes the value of `key`; null counts as absent.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Arc<Node>> {
        self.known.push(key);
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at);
        (!matches!(entry.value.value, Value::Null)).then_some(&entry.value)
    }

    /// Takes the value of `key`, which must exist.
    pub fn need(&mut self, yaml: &Yaml, key: &'static str) -> Result<&'a Arc<Node>, DocumentError> {
        if let Some(node) = self.take(key) {
            return Ok(node);
        }
        // Another key that is present may be a misspelling of it.
        let others = self.entries.iter().map(|entry| entry.key.as_str());
        let near = nearest(key, others.filter(|other| !self.known.contains(other)));
        Err(match self.entries.iter().find(|entry| near == Some(entry.key.as_str())) {
            Some(entry) => {
                let message = format!("unknown key `{}` in {}", entry.key, self.what);
                let error = yaml.source.error(entry.at, message);
                error.with_hint(format!("did you mean `{key}`?"))
            }
            None => yaml.source.error(self.at, format!("{} has no `{key}`", self.what)),
        })
    }

    /// Returns the place of the mapping.
    pub fn at(&self) -> Mark {
        self.at
    }

    /// Returns the entries that have not been taken.
    pub fn rest(self) -> Vec<&'a Entry> {
        self.entries
    }

    /// Ends the reading: remaining keys are unknown.
    pub fn finish(self, yaml: &Yaml) -> Result<(), DocumentError> {
        match self.entries.first() {
            None => Ok(()),
            Some(entry) => Err(self.unknown(yaml, entry)),
        }
    }

    /// Ends the reading of a mapping that may contain keys of others: only a remaining key that resembles a known one
    /// is an error.
    pub fn finish_tolerant(self, yaml: &Yaml) -> Result<(), DocumentError> {
        let near = |entry: &&&Entry| nearest(&entry.key, self.known.iter().copied()).is_some();
        match self.entries.iter().find(near) {
            None => Ok(()),
            Some(entry) => Err(self.unknown(yaml, entry)),
        }
    }

    /// Like [`Fields::finish_tolerant`], with a warning for other unknown keys.
    pub fn finish_warning(self, yaml: &mut Yaml) -> Result<(), DocumentError> {
        for entry in &self.entries {
            let error = self.unknown(yaml, entry);
            match nearest(&entry.key, self.known.iter().copied()) {
                Some(_) => return Err(error),
                None => yaml.warn(error),
            }
        }
        Ok(())
    }

    fn unknown(&self, yaml: &Yaml, entry: &Entry) -> DocumentError {
        let message = format!("unknown key `{}` in {}", entry.key, self.what);
        let hint = match nearest(&entry.key, self.known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{} has the keys `{}`", self.what, self.known.join("`, `")),
        };
        yaml.source.error(entry.at, message).with_hint(hint)
    }
}
