//! Conversion of the parser's events to a tree.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use crate::error::DocumentError;
use crate::resolved;
use crate::text::{Mark, Text};

/// A value and its starting place.
#[derive(Debug)]
pub struct Node {
    /// The place.
    pub at: Mark,
    /// Its tag, such as `!!binary`, if one is written that changes the value.
    pub tag: Option<Arc<str>>,
    /// The value.
    pub value: Value,
}

/// A value.
#[derive(Debug)]
pub enum Value {
    /// Null.
    Null,
    /// A scalar as written; if it is unquoted, YAML may read it as a number or the like.
    Text {
        /// The text.
        text: String,
        /// Whether it is quoted or a block.
        quoted: bool,
    },
    /// A list.
    List(Vec<Arc<Node>>),
    /// A mapping, in its order.
    Map(Vec<Entry>),
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Whether the key is quoted; if not, YAML may read it as a number or the like.
    pub quoted: bool,
    /// The place of the key.
    pub at: Mark,
    /// The value.
    pub value: Arc<Node>,
}

impl Node {
    /// Returns the value as YAML 1.1 reads it: an unquoted scalar may be a number or a boolean.
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

/// The maximum nesting, which also bounds the recursion when a document is dropped.
const DEEPEST: usize = 64;
/// The maximum number of values, including those that aliases stand for, so that expanding aliases terminates.
const MOST: usize = 4_000_000;

/// A list or mapping that is not complete yet.
struct Open {
    at: Mark,
    anchor: usize,
    tag: Option<Arc<str>>,
    /// The number of values before it.
    before: usize,
    content: Content,
}

enum Content {
    List(Vec<Arc<Node>>),
    Map(OpenMap),
}

#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// The line of each key.
    lines: HashMap<String, usize>,
    /// A key without its value.
    waiting: Option<Key>,
}

struct Key {
    text: String,
    quoted: bool,
    at: Mark,
}

struct Tree<'a> {
    source: &'a Text,
    open: Vec<Open>,
    /// Named nodes, and the number of values in each.
    anchors: HashMap<usize, (Arc<Node>, usize)>,
    root: Option<Arc<Node>>,
    values: usize,
}

/// Parses a text that contains one document. An empty one is null.
pub(crate) fn read(source: &Text, text: &str) -> Result<Arc<Node>, DocumentError> {
    let (open, anchors) = Default::default();
    let mut tree = Tree { source, open, anchors, root: None, values: 0 };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = mark(*error.marker());
            let message = format!("invalid YAML: {}", error.info());
            let hint = "quote a value that contains `: ` or ends with `:`, such as `gcc@12:`";
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
                let named = tree.anchors.get(&anchor).cloned();
                let inside = || source.error(at, "an alias refers to a value that contains it");
                let (node, size) = named.ok_or_else(inside)?;
                tree.count(at, size)?;
                tree.put(at, node)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar(at, &text, style, tag.as_deref());
                tree.count(at, 1)?;
                tree.finished(node, anchor, 1)?;
            }
            Event::SequenceStart(anchor, tag) => {
                tree.begin(at, anchor, tag.as_deref(), Content::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                tree.begin(at, anchor, tag.as_deref(), Content::Map(OpenMap::default()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let at = Mark { line: 1, column: 1 };
    let nothing = || Arc::new(Node { at, tag: None, value: Value::Null });
    Ok(tree.root.unwrap_or_else(nothing))
}

/// Creates the nodes of a computed value, without places.
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
            let entry = |(key, value): (&String, &serde_json::Value)| {
                let (key, value) = (key.clone(), of_json(value));
                Entry { key, quoted: true, at, value }
            };
            Value::Map(fields.iter().map(entry).collect())
        }
    };
    Arc::new(Node { at, tag: None, value })
}

fn mark(marker: Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}

fn scalar(at: Mark, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Node {
    let tag = tag.map(written);
    let (quoted, tag) = match tag.as_deref() {
        Some(STRING) => (true, None),
        _ => (style != ScalarStyle::Plain, tag),
    };
    let value = match (quoted, text) {
        (false, "" | "~" | "null" | "Null" | "NULL") if tag.is_none() => Value::Null,
        (quoted, text) => Value::Text { text: text.to_owned(), quoted },
    };
    Node { at, tag, value }
}

/// The tag of strings.
const STRING: &str = "!!str";

fn written(tag: &Tag) -> Arc<str> {
    match tag.is_yaml_core_schema() {
        true => format!("!!{}", tag.suffix).into(),
        false => format!("!<{}{}>", tag.handle, tag.suffix).into(),
    }
}

impl Tree<'_> {
    fn begin(
        &mut self,
        at: Mark,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), DocumentError> {
        if self.open.len() == DEEPEST {
            let message = format!("nested more than {DEEPEST} levels deep");
            return Err(self.source.error(at, message));
        }
        self.count(at, 1)?;
        // `!!map` and `!!seq` add no information.
        let tag = tag.map(written).filter(|tag| !matches!(&**tag, "!!map" | "!!seq"));
        self.open.push(Open { at, anchor, tag, before: self.values, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), DocumentError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map(map) => Value::Map(merged(self.source, map)?),
        };
        let size = self.values - open.before + 1;
        self.finished(Node { at: open.at, tag: open.tag, value }, open.anchor, size)
    }

    fn finished(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), DocumentError> {
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.put(node.at, node)
    }

    /// Counts values; those of a named node count again for each alias.
    fn count(&mut self, at: Mark, values: usize) -> Result<(), DocumentError> {
        self.values += values;
        match self.values > MOST {
            true => Err(self.source.error(at, format!("more than {MOST} values"))),
            false => Ok(()),
        }
    }

    /// Adds a value to its parent; `at` is the place of the value or its alias.
    fn put(&mut self, at: Mark, node: Arc<Node>) -> Result<(), DocumentError> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(map)) => match map.waiting.take() {
                Some(Key { text: key, quoted, at }) => {
                    map.entries.push(Entry { key, quoted, at, value: node });
                }
                None => {
                    let key = key(self.source, at, &node)?;
                    map.once(self.source, &key)?;
                    map.waiting = Some(key);
                }
            },
        }
        Ok(())
    }
}

impl OpenMap {
    /// Refuses a duplicate key; merge keys may be repeated.
    fn once(&mut self, source: &Text, key: &Key) -> Result<(), DocumentError> {
        if key.text == MERGE && !key.quoted {
            return Ok(());
        }
        match self.lines.insert(key.text.clone(), key.at.line) {
            None => Ok(()),
            Some(first) => {
                let message = format!("`{}` appears twice, first on line {first}", key.text);
                Err(source.error(key.at, message).with_hint("remove one of them"))
            }
        }
    }
}

/// The merge key. Source: YAML 1.1, "Merge Key Language-Independent Type".
const MERGE: &str = "<<";

/// Converts a node to a key.
fn key(source: &Text, at: Mark, node: &Node) -> Result<Key, DocumentError> {
    let (text, quoted) = match &node.value {
        Value::Text { text, quoted } => (text.clone(), *quoted),
        Value::Null => return Err(source.error(at, "a key is null: expected a string")),
        Value::List(_) => return Err(source.error(at, "a key is a list: expected a string")),
        Value::Map(_) => return Err(source.error(at, "a key is a mapping: expected a string")),
    };
    match &node.tag {
        Some(tag) => Err(source.error(at, format!("a key has the tag `{tag}`: expected a string"))),
        None => Ok(Key { text, quoted, at }),
    }
}

/// Adds the entries brought by `<<` to a mapping, which takes precedence.
fn merged(source: &Text, map: OpenMap) -> Result<Vec<Entry>, DocumentError> {
    let OpenMap { entries, lines: mut there, .. } = map;
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key == MERGE && !entry.quoted);
    for merge in merges {
        let brought: Vec<&Arc<Node>> = match &merge.value.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![&merge.value],
        };
        for node in brought {
            let Value::Map(entries) = &node.value else {
                return Err(source.error(merge.at, "`<<` needs a mapping"));
            };
            for entry in entries {
                if there.insert(entry.key.clone(), entry.at.line).is_none() {
                    own.push(entry.clone());
                }
            }
        }
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Result<Arc<Node>, String> {
        let (source, text) = Text::new("x", text.as_bytes()).unwrap();
        read(&source, &text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_invalid_document_is_refused_at_its_place() {
        for (text, problem) in [
            ("a: 1\nb: 2\na: 3\n", "x:3:1: `a` appears twice, first on line 1"),
            ("[a]: 1\n", "x:1:1: a key is a list: expected a string"),
            ("~: 1\n", "x:1:1: a key is null: expected a string"),
            ("!!float 1: 1\n", "x:1:9: a key has the tag `!!float`: expected a string"),
            ("a: 1\n---\nb: 2\n", "x:2:1: a second document begins here: expected one"),
            ("a: &a [*a]\n", "x:1:8: an alias refers to a value that contains it"),
            ("a: {<<: 1}\n", "x:1:5: `<<` needs a mapping"),
        ] {
            assert_eq!(parse(text).unwrap_err(), problem, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse(&deep).unwrap_err(), "x:1:65: nested more than 64 levels deep");
        assert!(parse("a: [\n").unwrap_err().contains("invalid YAML"));
    }

    #[test]
    fn an_alias_bomb_is_refused_early() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let last = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![last; 10].join(", ")));
        }
        assert!(parse(&text).unwrap_err().contains("more than 4000000 values"));
        let few = "a: &a [1, 2]\nb: [*a, *a]\n";
        assert_eq!(parse(few).unwrap().to_json()["b"], serde_json::json!([[1, 2], [1, 2]]));
    }

    #[test]
    fn own_keys_of_a_mapping_precede_merged_keys() {
        let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 0, \"<<\": 5}\n";
        let expected = serde_json::json!({"x": 0, "<<": 5, "y": 2, "z": 4});
        assert_eq!(parse(text).unwrap().to_json()["c"], expected);
    }

    #[test]
    fn tags_that_change_a_type_are_kept() {
        let root = parse("a: !!str 4\nb: !!binary aGk=\nc: !!map {}\nd: !x 1\n").unwrap();
        let Value::Map(entries) = &root.value else { unreachable!("a mapping") };
        let seen = entries.iter().map(|entry| (entry.value.tag.as_deref(), &entry.value.value));
        let seen: Vec<_> = seen.collect();
        assert!(matches!(seen[0], (None, Value::Text { quoted: true, .. })), "{seen:?}");
        assert_eq!(seen[1].0, Some("!!binary"));
        assert_eq!(seen[2].0, None);
        assert_eq!(seen[3].0, Some("!<!x>"));
    }
}
