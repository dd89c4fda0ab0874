//! Canonical JSON: exactly one text for each value.
//!
//! Keys are sorted by their UTF-8 bytes, there is no white space, only mandatory escapes are used, and numbers have
//! the shortest text that reads back as the same double. `spec/encoding.md` contains the rules and vectors.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Number, Value};

use crate::digest::ValueDigest;
use crate::encode::{Domain, digest_bytes};

/// Returns the canonical text of `value`.
///
/// Source: RFC 8785, except that keys are sorted by UTF-8 bytes rather than UTF-16 units.
pub fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Returns the canonical text of `value`, to be passed on without being parsed.
pub fn text(value: &Value) -> Arc<RawValue> {
    // A canonical text is valid JSON.
    RawValue::from_string(canonical(value)).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
}

/// Returns the digest of the canonical text of `value`.
pub fn digest(value: &Value) -> ValueDigest {
    ValueDigest(digest_bytes(Domain::Value, canonical(value).as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => push_number(number, out),
        Value::String(text) => push_text(text, out),
        Value::Array(items) => push_list(items, out, write),
        Value::Object(fields) => write_object(fields, out),
    }
}

/// Returns the kind of the value, with its article.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Writes a canonical list; `item` writes each element.
pub fn push_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut item: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (index, each) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item(each, out);
    }
    out.push(']');
}

/// Writes a canonical object; `field` writes the value of each name.
///
/// Does not sort: the caller must pass the names in byte order.
pub fn push_object<'a, T>(
    fields: impl IntoIterator<Item = (&'a str, T)>,
    out: &mut String,
    mut field: impl FnMut(&'a str, T, &mut String),
) {
    out.push('{');
    for (index, (name, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_text(name, out);
        out.push(':');
        field(name, value, out);
    }
    out.push('}');
}

fn write_object(fields: &serde_json::Map<String, Value>, out: &mut String) {
    let mut sorted: Vec<_> = fields.iter().collect();
    // Another crate in the program may have enabled a map that preserves insertion order.
    sorted.sort_unstable_by_key(|(key, _)| key.as_bytes());
    let sorted = sorted.into_iter().map(|(key, value)| (key.as_str(), value));
    push_object(sorted, out, |_, value, out| write(value, out));
}

/// All integers up to this one are exact doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes a canonical number, as ECMAScript does. Source: RFC 8785, section 3.2.2.3.
///
/// Not left to the JSON crate, whose choice of exponents could change between releases.
pub fn push_number(number: &Number, out: &mut String) {
    match number.as_f64() {
        Some(double) if double.fract() == 0.0 && double.abs() <= EXACT => {
            out.push_str(&(double as i64).to_string());
        }
        Some(double) => write_double(double, out),
        // Only reached if another crate has enabled numbers of arbitrary precision.
        None => out.push_str(&number.to_string()),
    }
}

/// Writes a double that is not a small integer.
fn write_double(double: f64, out: &mut String) {
    if double < 0.0 {
        out.push('-');
    }
    // The standard library guarantees the fewest digits that read back as the same double.
    let shortest = format!("{:e}", double.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(exponent) {
        Ok(point) if point < 21 && digits.len() <= point + 1 => {
            out.push_str(&digits);
            out.push_str(&"0".repeat(point + 1 - digits.len()));
        }
        Ok(point) if point < 21 => {
            out.push_str(&digits[..=point]);
            out.push('.');
            out.push_str(&digits[point + 1..]);
        }
        Err(_) if exponent >= -6 => {
            out.push_str("0.");
            out.push_str(&"0".repeat(exponent.unsigned_abs() as usize - 1));
            out.push_str(&digits);
        }
        _ => out.push_str(&format!("{mantissa}e{exponent:+}")),
    }
}

/// Writes a canonical string.
pub fn push_text(text: &str, out: &mut String) {
    let escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    out.push('"');
    let mut rest = text;
    // Only ASCII is escaped, so these positions are character boundaries.
    while let Some(at) = rest.bytes().position(escaped) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            control => out.push_str(&format!("\\u{control:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
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
        check(json!(1e20), "100000000000000000000");
        check(json!(-1.5e-6), "-0.0000015");
        check(json!(1.5e-7), "1.5e-7");
        check(json!(u64::MAX), "18446744073709552000");
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
