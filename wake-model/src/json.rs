//! Canonical JSON: one text for each value.
//!
//! Keys sorted by their UTF-8 bytes, no white space, the shortest number that reads back the same,
//! integers up to 2^53 without a fraction, `-0` as `0`, and only the escapes that JSON demands.

use serde_json::{Number, Value};

use crate::digest::ValueDigest;
use crate::encode::{Domain, digest_bytes};

/// The canonical text of `value`.
///
/// Source: RFC 8785 in spirit, but keys sort by UTF-8 bytes and not by UTF-16 units.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The digest of the canonical text of `value`.
pub fn digest(value: &Value) -> ValueDigest {
    ValueDigest(digest_bytes(Domain::Value, canonical(value).as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => write_list(items, out),
        Value::Object(fields) => write_object(fields, out),
    }
}

fn write_list(items: &[Value], out: &mut String) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(item, out);
    }
    out.push(']');
}

fn write_object(fields: &serde_json::Map<String, Value>, out: &mut String) {
    let mut sorted: Vec<_> = fields.iter().collect();
    // A map that keeps insertion order may have been chosen elsewhere in the program.
    sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
    out.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

/// Integers that a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn write_number(number: &Number, out: &mut String) {
    let text = match number.as_f64() {
        Some(0.0) => "0".to_owned(),
        Some(double) if double.fract() == 0.0 && double.abs() <= EXACT => {
            format!("{}", double as i64)
        }
        Some(_) | None => number.to_string(),
    };
    out.push_str(&text);
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: Value, expect: &str) {
        assert_eq!(canonical(&value), expect);
    }

    #[test]
    fn numbers() {
        check(json!(1.0), "1");
        check(json!(-0.0), "0");
        check(json!(0.1), "0.1");
        check(json!(9007199254740992.0), "9007199254740992");
        check(json!(1e300), "1e+300");
        check(json!(-17), "-17");
    }

    #[test]
    fn keys_sort_by_bytes_and_text_is_escaped_only_where_it_must() {
        check(
            json!({"é": 1, "z": 2, "Z": "a\n\u{1}/é"}),
            "{\"Z\":\"a\\n\\u0001/é\",\"z\":2,\"é\":1}",
        );
    }
}
