//! From the events of the parser to a tree.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::scalar::{Scalar, Style};
use super::tree::{Entry, Mark, Node, Value};

/// No configuration is deeper.
const DEEPEST: usize = 64;
/// Nodes that there are in all, those that aliases stand for as well.
const MOST: usize = 4_000_000;

/// What is wrong in a text of YAML, and where.
pub(crate) type Fault = (Mark, String);

/// A list or mapping of which not everything has been read.
struct Open {
    at: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// The entries so far, and a key that waits for its value.
    Map(Vec<Entry>, Option<(Scalar, Mark)>),
}

#[derive(Default)]
struct Tree {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
}

/// Reads the one document of a text; an empty one is null.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let mut tree = Tree::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            (mark(*error.marker()), format!("this is no YAML: {}", error.info()))
        })?;
        let at = mark(span.start);
        match event {
            Event::DocumentStart(_) if documents == 1 => {
                return Err((at, "a second document begins here: expected one".to_owned()));
            }
            Event::DocumentStart(_) => documents += 1,
            Event::Alias(anchor) => tree.alias(at, anchor)?,
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = scalar(&text, style, tag.as_deref());
                tree.finished(Node { at, value: Value::Scalar(scalar) }, anchor)?;
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
    Ok(tree.root.unwrap_or_else(|| Node::plain("")))
}

fn mark(marker: Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Scalar {
    let tag = tag.map(|tag| match tag.is_yaml_core_schema() {
        true => format!("!!{}", tag.suffix),
        false => format!("!<{}{}>", tag.handle, tag.suffix),
    });
    let (style, tag) = match (style, tag.as_deref()) {
        (_, Some("!!str")) => (Style::Quoted, None),
        (ScalarStyle::Plain, _) => (Style::Plain, tag),
        (_, _) => (Style::Quoted, tag),
    };
    Scalar { text: text.to_owned(), style, tag }
}

impl Tree {
    fn begin(&mut self, at: Mark, anchor: usize, content: Content) -> Result<(), Fault> {
        if self.open.len() == DEEPEST {
            return Err((at, format!("this is nested more than {DEEPEST} levels deep")));
        }
        self.open.push(Open { at, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map(entries, _) => Value::Map(entries),
        };
        self.finished(Node { at: open.at, value }, open.anchor)
    }

    fn finished(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.count(node.at, 1)?;
        self.put(node.at, node)
    }

    /// What an alias names stands there instead of it.
    fn alias(&mut self, at: Mark, anchor: usize) -> Result<(), Fault> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err((at, "an alias stands inside of what it names".to_owned()));
        };
        self.count(at, size)?;
        self.put(at, node)
    }

    fn count(&mut self, at: Mark, nodes: usize) -> Result<(), Fault> {
        self.nodes += nodes;
        match self.nodes > MOST {
            true => Err((at, format!("these are more than {MOST} values"))),
            false => Ok(()),
        }
    }

    /// Puts a value where it belongs; `at` is where it, or the alias for it, stands.
    fn put(&mut self, at: Mark, node: Node) -> Result<(), Fault> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries, waiting)) => match waiting.take() {
                Some((key, at)) => entries.push(Entry { key, at, value: node }),
                None => *waiting = Some((key(at, node, entries)?, at)),
            },
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

/// The key that a node is, which must stand once.
fn key(at: Mark, node: Node, entries: &[Entry]) -> Result<Scalar, Fault> {
    let kind = node.kind();
    let Value::Scalar(key) = node.value else {
        return Err((at, format!("a key is {kind}: expected a name")));
    };
    if key.is_null() {
        return Err((at, "a key is null: expected a name".to_owned()));
    }
    match entries.iter().find(|entry| entry.key.text == key.text) {
        Some(first) => {
            Err((at, format!("`{}` stands twice, first in line {}", key.text, first.at.line)))
        }
        None => Ok(key),
    }
}
