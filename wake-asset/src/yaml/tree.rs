//! A YAML document as an editable tree.

use wake_yaml::Mark;

use super::scalar::Scalar;

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Mark,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Scalar,
    pub(crate) at: Mark,
    pub(crate) value: Node,
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Node { at: Mark::NONE, value }
    }
}

impl Node {
    pub(crate) fn text(text: impl Into<String>) -> Node {
        Value::Scalar(Scalar::text(text)).into()
    }

    pub(crate) fn plain(text: impl Into<String>) -> Node {
        Value::Scalar(Scalar::plain(text)).into()
    }

    pub(crate) fn empty_map() -> Node {
        Value::Map(Vec::new()).into()
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Node {
        Value::List(texts.into_iter().map(Node::text).collect()).into()
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// Returns the kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "null",
            Value::Scalar(_) => "a scalar",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// Returns the entries of a mapping; none for any other value.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the value of a key unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries().iter().find(|entry| entry.key.text == key)?;
        (!entry.value.is_null()).then_some(&entry.value)
    }

    fn map_mut(&mut self) -> &mut Vec<Entry> {
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Vec::new());
        }
        match &mut self.value {
            Value::Map(entries) => entries,
            _ => unreachable!("it was made a mapping above"),
        }
    }

    /// Returns the value of a key; a missing or null value becomes an empty mapping.
    pub(crate) fn below(&mut self, key: &str) -> &mut Node {
        let entries = self.map_mut();
        let at = match entries.iter().position(|entry| entry.key.text == key) {
            Some(at) => at,
            None => {
                let (key, at) = (Scalar::text(key), Mark::NONE);
                entries.push(Entry { key, at, value: Node::empty_map() });
                entries.len() - 1
            }
        };
        let value = &mut entries[at].value;
        if value.is_null() {
            *value = Node::empty_map();
        }
        value
    }

    pub(crate) fn set(&mut self, key: &str, value: Node) {
        *self.below(key) = value;
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Node> {
        let Value::Map(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|entry| entry.key.text == key)?;
        Some(entries.remove(at).value)
    }

    /// Whether it is null, or an empty list or mapping.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => scalar.is_null(),
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
        }
    }
}
