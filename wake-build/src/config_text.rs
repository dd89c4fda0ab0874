//! Configurations as users read and write them in labels: `opt=2 src=./a.c`.

use serde_json::{Map, Value};
use wake_model::encode::{Domain, digest_bytes};
use wake_model::json::canonical;

/// The most characters of a configuration in a label.
const LONGEST: usize = 100;

/// Writes a configuration, given as canonical JSON, as text, each value as `--config` takes it; a truncated one ends with `@` and digits of its digest.
pub(crate) fn write(config: &str) -> String {
    // An unreadable configuration is shown unchanged.
    let text =
        serde_json::from_str(config).map_or_else(|_| config.to_owned(), |read| in_full(&read));
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… @{}", &text[..end], digits(config)),
        None => text,
    }
}

/// Reads a configuration that [`write`] wrote in full.
pub(crate) fn read(text: &str) -> Option<Value> {
    let config = match text.starts_with(['{', '[', '"']) {
        true => serde_json::from_str(text).ok()?,
        false => read_pairs(text)?,
    };
    (in_full(&config) == text).then_some(config)
}

/// Returns whether `meant`, the end of a label or the digits of a link, refers to the label that ends with `own`.
pub(crate) fn is_same(meant: &str, own: &str) -> bool {
    let digits = || match read(own) {
        Some(config) => Some(digits(&canonical(&config))),
        None => own.rsplit_once('@').map(|(_, digits)| digits.to_owned()),
    };
    meant == own || meant.strip_prefix('@').is_some_and(|meant| digits().as_deref() == Some(meant))
}

/// Returns the first digits of the digest of a configuration, given as canonical JSON.
pub(crate) fn digits(config: &str) -> String {
    digest_bytes(Domain::Value, config.as_bytes()).short(8).to_string()
}

fn in_full(config: &Value) -> String {
    let Value::Object(object) = config else { return canonical(config) };
    let is_plain = |key: &String| {
        let mut chars = key.chars();
        chars.next().is_some_and(|first| first.is_alphanumeric() || first == '_')
            && chars.all(|c| c != '=' && !c.is_whitespace() && !c.is_control())
    };
    if object.is_empty() || !object.keys().all(is_plain) {
        return canonical(config);
    }
    let mut pairs: Vec<String> =
        object.iter().map(|(key, value)| format!("{key}={}", in_pair(value))).collect();
    pairs.sort_unstable();
    pairs.join(" ")
}

/// Writes a text without quotes unless it could be read as JSON or as two values.
fn in_pair(value: &Value) -> String {
    match value {
        Value::String(text)
            if !text.is_empty()
                && !text.starts_with(['{', '[', '"'])
                && !text.contains(|c: char| c.is_whitespace() || c.is_control())
                && serde_json::from_str::<Value>(text).is_err() =>
        {
            text.clone()
        }
        other => canonical(other),
    }
}

fn read_pairs(mut text: &str) -> Option<Value> {
    let mut object = Map::new();
    while !text.is_empty() {
        let (key, rest) = text.split_once('=')?;
        let (value, rest) = match rest.starts_with(['{', '[', '"']) {
            true => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                let value = values.next()?.ok()?;
                (value, rest.get(values.byte_offset()..)?)
            }
            false => {
                let (value, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
                let text = || Value::String(value.to_owned());
                (serde_json::from_str(value).unwrap_or_else(|_| text()), rest)
            }
        };
        object.insert(key.to_owned(), value);
        text = rest.strip_prefix(' ').unwrap_or(rest);
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn written_configs_are_read_back() {
        for (config, text) in [
            (json!({ "src": "./src/a.c" }), "src=./src/a.c"),
            (json!({ "n": 3, "b": true, "s": "3", "z": null }), r#"b=true n=3 s="3" z=null"#),
            (json!({ "f": ["-O2", "-g x"], "o": {} }), r#"f=["-O2","-g x"] o={}"#),
            (json!({ "e": "", "w": "a b", "q": "\"", "k": "a=b" }), r#"e="" k=a=b q="\"" w="a b""#),
            (json!({ "a b": 1 }), r#"{"a b":1}"#),
            (json!({ "": 1 }), r#"{"":1}"#),
            (json!({}), "{}"),
            (json!([1]), "[1]"),
            (json!("x"), r#""x""#),
        ] {
            assert_eq!(write(&canonical(&config)), text);
            assert_eq!(read(text).unwrap(), config, "{text}");
        }
    }

    #[test]
    fn links_and_labels_have_the_same_digits() {
        let config = json!({ "src": "./a.c" });
        let link = format!("@{}", digits(&canonical(&config)));
        assert!(is_same(&link, "src=./a.c"));
        assert!(!is_same(&link, "src=./b.c"));
        assert!(is_same("src=./a.c", "src=./a.c"));
        assert!(is_same("@01234567", "k=v… @01234567"));
        assert!(is_same("@01234567", "a label @01234567"));
        assert!(!is_same("@01234567", "a label"));
    }

    #[test]
    fn shortened_and_invalid_texts_are_not_read() {
        let config = canonical(&json!({ "k": "é".repeat(300) }));
        let (text, end) = (write(&config), format!("é… @{}", digits(&config)));
        assert!(text.starts_with("k=éé") && text.ends_with(&end), "{text}");
        for text in [&text, "", "x", "b=1 a=2", "a=1  b=2", "a= ", "=1", "a={", "@01234567"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
