//! Documents in written and hashed form: values whose objects keep their order of construction.

use wake_store::ware::cbor::Item;

/// Returns a text.
pub(crate) fn text(text: impl ToString) -> Item {
    Item::Text(text.to_string())
}

/// Returns a list of texts.
pub(crate) fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Item {
    Item::Array(texts.into_iter().map(text).collect())
}

/// Returns an object whose values are texts.
pub(crate) fn map<K: ToString, V: ToString>(pairs: impl IntoIterator<Item = (K, V)>) -> Item {
    Item::Map(pairs.into_iter().map(|(key, value)| (key.to_string(), text(value))).collect())
}

/// Returns an object with those of these fields that have a value.
pub(crate) fn object<const N: usize>(fields: [(&str, Option<Item>); N]) -> Item {
    Item::Map(fields.into_iter().filter_map(|(key, item)| Some((key.to_owned(), item?))).collect())
}

/// Prints `value` as JSON, each level indented by one more `indent`. Lists of plain values stay on one line.
pub(crate) fn pretty(value: &Item, indent: &str) -> String {
    let mut text = String::new();
    put(&mut text, value, indent, 0);
    text
}

fn put(text: &mut String, value: &Item, indent: &str, level: usize) {
    match value {
        Item::Null => text.push_str("null"),
        Item::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Item::Int(value) => text.push_str(&value.to_string()),
        Item::Text(value) => text.push_str(&quoted(value)),
        Item::Map(pairs) if pairs.is_empty() => text.push_str("{}"),
        Item::Map(pairs) => {
            text.push('{');
            for (number, (key, value)) in pairs.iter().enumerate() {
                separate(text, number, indent, level + 1);
                text.push_str(&quoted(key));
                text.push_str(": ");
                put(text, value, indent, level + 1);
            }
            separate(text, 0, indent, level);
            text.push('}');
        }
        Item::Array(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    text.push_str(", ");
                }
                put(text, item, indent, level + 1);
            }
            text.push(']');
        }
    }
}

fn separate(text: &mut String, number: usize, indent: &str, level: usize) {
    if number > 0 {
        text.push(',');
    }
    text.push('\n');
    text.push_str(&indent.repeat(level));
}

fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}
