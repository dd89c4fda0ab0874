//! Results as JSON text: byte for byte the output of `serde_json`, but faster.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use jrsonnet_evaluator::IStr;
use serde_json::Value;
use wake_model::json::{push_list, push_object, push_text};

/// A type that can be written as JSON.
pub(crate) trait Json {
    /// Appends the JSON.
    fn write(&self, out: &mut String);
}

/// Returns the JSON of a result.
pub(crate) fn text_of(value: &impl Json) -> String {
    // Large enough for most results: a string that grows is copied each time.
    let mut text = String::with_capacity(8 << 10);
    value.write(&mut text);
    text
}

/// An object with these fields in this order; the names must need no escapes.
pub(crate) struct Object<'a>(pub(crate) &'a [(&'static str, &'a dyn Json)]);

impl Json for Object<'_> {
    fn write(&self, out: &mut String) {
        out.push('{');
        for (index, (name, value)) in self.0.iter().enumerate() {
            out.push_str(if index == 0 { "\"" } else { ",\"" });
            out.push_str(name);
            out.push_str("\":");
            value.write(out);
        }
        out.push('}');
    }
}

impl Json for str {
    fn write(&self, out: &mut String) {
        push_text(self, out);
    }
}

impl Json for String {
    fn write(&self, out: &mut String) {
        self.as_str().write(out);
    }
}

impl Json for IStr {
    fn write(&self, out: &mut String) {
        self.as_str().write(out);
    }
}

impl Json for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Json for Value {
    fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(flag) => flag.write(out),
            // Writing to a string cannot fail.
            Value::Number(number) => drop(write!(out, "{number}")),
            Value::String(text) => text.write(out),
            Value::Array(items) => items.write(out),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value));
                push_object(fields, out, |_, value, out| value.write(out));
            }
        }
    }
}

impl<T: Json + ?Sized> Json for &T {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl<T: Json + ?Sized> Json for Rc<T> {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl<T: Json> Json for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl<T: Json> Json for Vec<T> {
    fn write(&self, out: &mut String) {
        push_list(self, out, T::write);
    }
}

/// Writes an object whose fields have arbitrary names.
impl<T: Json> Json for Vec<(IStr, T)> {
    fn write(&self, out: &mut String) {
        let fields = self.iter().map(|(name, value)| (name.as_str(), value));
        push_object(fields, out, |_, value, out| value.write(out));
    }
}

impl<T: Json> Json for BTreeMap<String, T> {
    fn write(&self, out: &mut String) {
        let fields = self.iter().map(|(name, value)| (name.as_str(), value));
        push_object(fields, out, |_, value, out| value.write(out));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_other_programs_write_them() {
        let every: String = (0..0x2ff).filter_map(char::from_u32).collect();
        let value = json!({
            "": [], "é": {}, "\"\\": [null, true, false, "", every, "a/b"],
            "numbers": [0, -1, u64::MAX, i64::MIN, 0.1, -0.0, 1e20, 1.5e300, 5e-324, 12e18],
        });
        assert_eq!(text_of(&value), serde_json::to_string(&value).unwrap());
        let named: Vec<(IStr, Option<Value>)> = vec![("b".into(), None), ("a".into(), Some(value))];
        assert!(text_of(&named).starts_with(r#"{"b":null,"a":{"":"#));
    }
}
