//! Converts the reader's tree to an editable one.

use wake_yaml::Value as Read;

use super::scalar::{Scalar, Style};
use super::tree::{Entry, Node, Value};

impl From<&wake_yaml::Node> for Node {
    /// Converts the tree, with aliases expanded.
    fn from(node: &wake_yaml::Node) -> Node {
        let value = match &node.value {
            Read::Null => Value::Scalar(Scalar::plain("null")),
            Read::Text { text, quoted } => {
                let tag = node.tag.as_deref().map(str::to_owned);
                Value::Scalar(Scalar { text: text.clone(), style: style(*quoted), tag })
            }
            Read::List(items) => Value::List(items.iter().map(|item| (&**item).into()).collect()),
            Read::Map(entries) => Value::Map(entries.iter().map(Entry::from).collect()),
        };
        Node { at: node.at, value }
    }
}

impl From<&wake_yaml::Entry> for Entry {
    fn from(entry: &wake_yaml::Entry) -> Entry {
        let style = style(entry.quoted);
        let key = Scalar { text: entry.key.clone(), style, tag: None };
        Entry { key, at: entry.at, value: (&*entry.value).into() }
    }
}

fn style(quoted: bool) -> Style {
    if quoted { Style::Quoted } else { Style::Plain }
}
