//! Prints JSON whose objects keep the order in which they were built.

/// A value to print.
#[derive(Clone, Debug)]
pub(crate) enum Print {
    Bool(bool),
    Int(i64),
    Text(String),
    Array(Vec<Print>),
    Object(Vec<(String, Print)>),
}

impl Print {
    pub(crate) fn text(text: impl ToString) -> Self {
        Print::Text(text.to_string())
    }

    pub(crate) fn texts<T: ToString>(texts: impl IntoIterator<Item = T>) -> Self {
        Print::Array(texts.into_iter().map(Print::text).collect())
    }

    pub(crate) fn map<K: ToString, V: ToString>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Print::Object(
            pairs.into_iter().map(|(key, value)| (key.to_string(), Print::text(value))).collect(),
        )
    }
}

/// Prints `value`, each level indented by one more `indent`. Lists of plain values stay on one line.
pub(crate) fn pretty(value: &Print, indent: &str) -> String {
    let mut text = String::new();
    put(&mut text, value, indent, 0);
    text
}

fn put(text: &mut String, value: &Print, indent: &str, level: usize) {
    match value {
        Print::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Print::Int(value) => text.push_str(&value.to_string()),
        Print::Text(value) => text.push_str(&quoted(value)),
        Print::Object(pairs) if pairs.is_empty() => text.push_str("{}"),
        Print::Object(pairs) => {
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
        Print::Array(items) => {
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
