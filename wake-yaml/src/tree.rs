//! From the events of the parser to a tree.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::error::DocumentError;
use crate::resolved;
use crate::text::{Mark, Text};

/// A value and where it starts.
#[derive(Debug)]
pub struct Node {
    /// Where.
    pub at: Mark,
    /// What.
    pub value: Value,
}

/// What stands somewhere.
#[derive(Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// A scalar as it is written; without quotes YAML may take it for a number or the like.
    Text {
        /// The text.
        text: String,
        /// Whether it stands in quotes or as a block.
        quoted: bool,
    },
    /// A list.
    List(Vec<Arc<Node>>),
    /// A mapping, in its order.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where it stands.
    pub at: Mark,
    /// What stands for it.
    pub value: Arc<Node>,
}

impl Node {
    /// The value as YAML 1.1 has it: a scalar without quotes may be a number or a truth value.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Text { text, quoted: true } => text.as_str().into(),
            Value::Text { text, quoted: false } => resolved::value(text),
            Value::List(items) => items.iter().map(|item| item.to_json()).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
            }
        }
    }
}

/// No document is deeper, and what is dropped level by level must end.
const DEEPEST: usize = 64;

/// A list or mapping of which not everything has been read.
struct Open {
    at: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Arc<Node>>),
    /// The entries so far, and a key that waits for its value.
    Map(Vec<Entry>, Option<(String, Mark)>),
}

struct Tree<'a> {
    source: &'a Text,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    root: Option<Arc<Node>>,
}

/// Reads the one document of a text. An empty one is null.
pub(crate) fn read(source: &Text, text: &str) -> Result<Arc<Node>, DocumentError> {
    let mut tree = Tree { source, open: Vec::new(), anchors: HashMap::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = mark(*error.marker());
            let message = format!("this is no YAML: {}", error.info());
            let hint =
                "a value that has `: ` in it or `:` at its end, such as `gcc@12:`, needs quotes";
            match error.info().contains("mapping values are not allowed") {
                true => source.error(at, message).with_hint(hint),
                false => source.error(at, message),
            }
        })?;
        let at = mark(span.start);
        match event {
            Event::DocumentStart(_) if documents == 1 => {
                return Err(source.error(at, "a second document begins here: expected one"));
            }
            Event::DocumentStart(_) => documents += 1,
            Event::Alias(anchor) => {
                let node = tree.anchors.get(&anchor).cloned();
                let inside = || source.error(at, "an alias stands inside of what it names");
                tree.put(at, node.ok_or_else(inside)?)?;
            }
            Event::Scalar(text, style, anchor, _) => {
                let value = scalar(&text, style);
                tree.finished(Node { at, value }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => {
                tree.begin(at, anchor, Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, _) => {
                tree.begin(at, anchor, Content::Map(Vec::new(), None))?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let nothing = || Arc::new(Node { at: Mark { line: 1, column: 1 }, value: Value::Null });
    Ok(tree.root.unwrap_or_else(nothing))
}

/// The nodes of a value that was computed, none of which has a place.
pub(crate) fn of_json(value: &serde_json::Value) -> Arc<Node> {
    let at = Mark::NONE;
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(text) => Value::Text { text: text.clone(), quoted: true },
        serde_json::Value::Bool(truth) => Value::Text { text: truth.to_string(), quoted: false },
        serde_json::Value::Number(number) => {
            Value::Text { text: resolved::written(number), quoted: false }
        }
        serde_json::Value::Array(items) => Value::List(items.iter().map(of_json).collect()),
        serde_json::Value::Object(fields) => {
            let entry = |(key, value)| Entry { key: String::clone(key), at, value: of_json(value) };
            Value::Map(fields.iter().map(entry).collect())
        }
    };
    Arc::new(Node { at, value })
}

fn mark(marker: Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        (style, text) => Value::Text { text: text.to_owned(), quoted: style != ScalarStyle::Plain },
    }
}

impl Tree<'_> {
    fn begin(&mut self, at: Mark, anchor: usize, content: Content) -> Result<(), DocumentError> {
        if self.open.len() == DEEPEST {
            let message = format!("this is nested more than {DEEPEST} levels deep");
            return Err(self.source.error(at, message));
        }
        self.open.push(Open { at, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), DocumentError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map(entries, _) => Value::Map(merged(self.source, entries)?),
        };
        self.finished(Node { at: open.at, value }, open.anchor)
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), DocumentError> {
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node.at, node)
    }

    /// Puts a value where it belongs; `at` is where it, or the alias for it, stands.
    fn put(&mut self, at: Mark, node: Arc<Node>) -> Result<(), DocumentError> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries, waiting)) => match waiting.take() {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => *waiting = Some((key(self.source, at, &node, entries)?, at)),
            },
        }
        Ok(())
    }
}

/// The key that a node is, which must stand once.
fn key(source: &Text, at: Mark, node: &Node, entries: &[Entry]) -> Result<String, DocumentError> {
    let key = match &node.value {
        Value::Text { text, .. } => text.clone(),
        Value::Null => return Err(source.error(at, "a key is null: expected a string")),
        Value::List(_) => return Err(source.error(at, "a key is a list: expected a string")),
        Value::Map(_) => return Err(source.error(at, "a key is a mapping: expected a string")),
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == key && key != "<<") {
        let message = format!("`{key}` stands twice, first in line {}", first.at.line);
        return Err(source.error(at, message).with_hint("remove one of them"));
    }
    Ok(key)
}

/// A mapping in which what `<<` brings stands where the mapping itself does not say otherwise.
fn merged(source: &Text, entries: Vec<Entry>) -> Result<Vec<Entry>, DocumentError> {
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let brought: Vec<&Arc<Node>> = match &merge.value.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![&merge.value],
        };
        for node in brought {
            let Value::Map(entries) = &node.value else {
                return Err(source.error(merge.at, "`<<` brings no mapping"));
            };
            for entry in entries {
                if own.iter().all(|one| one.key != entry.key) {
                    own.push(entry.clone());
                }
            }
        }
    }
    Ok(own)
}
