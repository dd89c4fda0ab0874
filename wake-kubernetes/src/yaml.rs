//! Objects as readable YAML: block style, with keys in the order of Kubernetes' own tools.

use std::fmt::Write;

use serde_json::{Map, Value};

/// Formats an object as one YAML document.
pub(crate) fn document(object: &Value) -> String {
    let mut text = String::new();
    match object {
        Value::Object(map) if !map.is_empty() => fields(map, 0, &mut text),
        Value::Array(list) if !list.is_empty() => items(list, 0, &mut text),
        other => {
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
    text
}

fn fields(map: &Map<String, Value>, indent: usize, text: &mut String) {
    for (at, (key, value)) in ordered(map).into_iter().enumerate() {
        if at > 0 || indent == 0 || text.ends_with('\n') {
            text.push_str(&" ".repeat(indent));
        }
        let _ = write!(text, "{}:", word(key));
        below(value, indent, text);
    }
}

/// Writes the value of a key.
fn below(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            fields(map, indent + 2, text);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            items(list, indent, text);
        }
        other => {
            let _ = writeln!(text, " {}", scalar(other));
        }
    }
}

fn items(list: &[Value], indent: usize, text: &mut String) {
    for item in list {
        text.push_str(&" ".repeat(indent));
        text.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                text.push(' ');
                fields(map, indent + 2, text);
            }
            Value::Array(inner) if !inner.is_empty() => {
                text.push('\n');
                items(inner, indent + 2, text);
            }
            other => {
                let _ = writeln!(text, " {}", scalar(other));
            }
        }
    }
}

/// Orders the fields: type and name first.
fn ordered(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    const FIRST: [&str; 4] = ["apiVersion", "kind", "metadata", "name"];
    let place = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    let mut all: Vec<_> = map.iter().collect();
    all.sort_by_key(|(key, _)| place(key));
    all
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        // `{}`, `[]`, numbers, `true` and `null` are the same in JSON and YAML.
        other => other.to_string(),
    }
}

/// A string: plain if it is unambiguous, else quoted as in JSON, which is valid YAML.
fn word(text: &str) -> String {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    let is_word = begins && text.chars().all(plain) && !is_taken(text);
    match is_word {
        true => text.to_owned(),
        false => Value::from(text).to_string().replace('\u{7f}', "\\u007f"),
    }
}

/// Whether some version of YAML reads the word as something other than a string.
fn is_taken(word: &str) -> bool {
    const TAKEN: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    TAKEN.contains(&word.to_ascii_lowercase().as_str())
}
