//! JSON values borrowed from a text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use wake_model::json::{push_list, push_number, push_object, push_text};
use wake_model::sorted::sorted;

/// A value in a text with the lifetime `'a`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum JsonValue<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<JsonValue<'a>>),
    /// Fields, sorted by name, without duplicates.
    Fields(Vec<(Cow<'a, str>, JsonValue<'a>)>),
}

impl<'a> JsonValue<'a> {
    /// Returns the field with this name, if this is an object that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&JsonValue<'a>> {
        let JsonValue::Fields(fields) = self else { return None };
        let at = fields.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(&fields[at].1)
    }

    /// Returns the text, if this is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            JsonValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether this is `null`.
    pub(crate) fn is_null(&self) -> bool {
        *self == JsonValue::Null
    }

    /// Copies the value.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            JsonValue::Null => Value::Null,
            JsonValue::Bool(value) => Value::Bool(*value),
            JsonValue::Number(number) => Value::Number(number.clone()),
            JsonValue::Text(text) => Value::String(text.clone().into_owned()),
            JsonValue::List(items) => items.iter().map(JsonValue::to_value).collect(),
            JsonValue::Fields(fields) => {
                fields.iter().map(|(name, field)| (name.to_string(), field.to_value())).collect()
            }
        }
    }

    /// Returns the canonical text.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.push_canonical(&mut out);
        out
    }

    /// Writes the canonical text.
    pub(crate) fn push_canonical(&self, out: &mut String) {
        self.push_with(out, &mut |_, inner, out| inner.push_canonical(out));
    }

    /// Writes the canonical text, with `each` writing the values directly inside; the names of fields are
    /// already written.
    pub(crate) fn push_with(
        &self,
        out: &mut String,
        each: &mut dyn FnMut(Option<&str>, &JsonValue<'a>, &mut String),
    ) {
        match self {
            JsonValue::Null => out.push_str("null"),
            JsonValue::Bool(true) => out.push_str("true"),
            JsonValue::Bool(false) => out.push_str("false"),
            JsonValue::Number(number) => push_number(number, out),
            JsonValue::Text(text) => push_text(text, out),
            JsonValue::List(items) => {
                push_list(items, out, |item, out| each(None, item, out));
            }
            JsonValue::Fields(fields) => {
                let fields = fields.iter().map(|(name, field)| (&**name, field));
                push_object(fields, out, |name, field, out| each(Some(name), field, out));
            }
        }
    }
}

impl<'a> From<&'a str> for JsonValue<'a> {
    fn from(text: &'a str) -> JsonValue<'a> {
        JsonValue::Text(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<JsonValue<'de>, E> {
        // JSON has no other numbers.
        Ok(Number::from_f64(number).map_or(JsonValue::Null, JsonValue::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonValue<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(JsonValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonValue<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, JsonValue<'de>)> = Vec::new();
        while let Some((Key(name), field)) = map.next_entry()? {
            fields.push((name, field));
        }
        Ok(JsonValue::Fields(sorted(fields)))
    }
}

/// The name of a field.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyKey;
        impl<'de> Visitor<'de> for AnyKey {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(AnyKey)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_equal_those_of_another_parser() {
        let text = r#" {"b": [1, -2, 2.50, 1e300, true, false, null, "x\n\"é", ""], "a": {},
            "c": {"z": 1, "y": {"d": [], "c": [[]]}, "ü\t": 0}, "a\u0000": 1.0, "b2": "b2"} "#;
        let (written, value): (JsonValue<'_>, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written.to_value(), value);
        assert_eq!(written.canonical(), wake_model::json::canonical(&value));
        assert_eq!(written.get("b2").unwrap().as_str(), Some("b2"));
        assert!(matches!(written.get("b2"), Some(JsonValue::Text(Cow::Borrowed(_)))));
        assert!(written.get("d").is_none() && written.get("b").unwrap().get("b").is_none());
    }

    #[test]
    fn the_last_of_repeated_names_counts() {
        let text = r#"{"b": 1, "a": 2, "b": 3, "a": {"c": 4, "c": 5}}"#;
        let (written, value): (JsonValue<'_>, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written.to_value(), value);
        assert_eq!(written.canonical(), r#"{"a":{"c":5},"b":3}"#);
    }
}
