//! JSON values as a text has them: read without a copy of what is written there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use wake_model::json::{push_list, push_number, push_object, push_text};
use wake_model::sorted::sorted;

/// A value in a text that lives for `'a`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Written<'a> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Written<'a>>),
    /// Sorted by their names, each there once.
    Fields(Vec<(Cow<'a, str>, Written<'a>)>),
}

impl<'a> Written<'a> {
    /// The field of that name, if this is an object that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Written<'a>> {
        let Written::Fields(fields) = self else { return None };
        let at = fields.binary_search_by(|(key, _)| (**key).cmp(name)).ok()?;
        Some(&fields[at].1)
    }

    /// The text, if this is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Written::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub(crate) fn is_null(&self) -> bool {
        *self == Written::Null
    }

    /// The same with everything copied.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Written::Null => Value::Null,
            Written::Bool(value) => Value::Bool(*value),
            Written::Number(number) => Value::Number(number.clone()),
            Written::Text(text) => Value::String(text.clone().into_owned()),
            Written::List(items) => items.iter().map(Written::to_value).collect(),
            Written::Fields(fields) => {
                fields.iter().map(|(name, field)| (name.to_string(), field.to_value())).collect()
            }
        }
    }

    /// The canonical text.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.push_canonical(&mut out);
        out
    }

    /// Writes the canonical text.
    pub(crate) fn push_canonical(&self, out: &mut String) {
        self.push_with(out, &mut |_, inner, out| inner.push_canonical(out));
    }

    /// Writes the canonical text with `each` writing what is directly inside: the name, if it is a field, is
    /// written already.
    pub(crate) fn push_with(
        &self,
        out: &mut String,
        each: &mut dyn FnMut(Option<&str>, &Written<'a>, &mut String),
    ) {
        match self {
            Written::Null => out.push_str("null"),
            Written::Bool(true) => out.push_str("true"),
            Written::Bool(false) => out.push_str("false"),
            Written::Number(number) => push_number(number, out),
            Written::Text(text) => push_text(text, out),
            Written::List(items) => {
                push_list(items, out, |item, out| each(None, item, out));
            }
            Written::Fields(fields) => {
                let fields = fields.iter().map(|(name, field)| (&**name, field));
                push_object(fields, out, |name, field, out| each(Some(name), field, out));
            }
        }
    }
}

impl<'a> From<&'a str> for Written<'a> {
    fn from(text: &'a str) -> Written<'a> {
        Written::Text(Cow::Borrowed(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Written<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Written<'de>, E> {
        Ok(Written::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Written<'de>, E> {
        Ok(Written::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Written<'de>, E> {
        Ok(Written::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Written<'de>, E> {
        Ok(Written::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Written<'de>, E> {
        // JSON has no others.
        Ok(Number::from_f64(number).map_or(Written::Null, Written::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Written<'de>, E> {
        Ok(Written::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Written<'de>, E> {
        Ok(Written::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Written::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written<'de>, A::Error> {
        let mut fields: Vec<(Cow<'de, str>, Written<'de>)> = Vec::new();
        while let Some((Key(name), field)) = map.next_entry()? {
            fields.push((name, field));
        }
        Ok(Written::Fields(sorted(fields)))
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
    fn what_is_read_is_what_others_read() {
        let text = r#" {"b": [1, -2, 2.50, 1e300, true, false, null, "x\n\"é", ""], "a": {},
            "c": {"z": 1, "y": {"d": [], "c": [[]]}, "ü\t": 0}, "a\u0000": 1.0, "b2": "b2"} "#;
        let (written, value): (Written<'_>, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written.to_value(), value);
        assert_eq!(written.canonical(), wake_model::json::canonical(&value));
        assert_eq!(written.get("b2").unwrap().as_str(), Some("b2"));
        assert!(matches!(written.get("b2"), Some(Written::Text(Cow::Borrowed(_)))));
        assert!(written.get("d").is_none() && written.get("b").unwrap().get("b").is_none());
    }

    #[test]
    fn of_a_name_that_is_there_twice_the_last_counts() {
        let text = r#"{"b": 1, "a": 2, "b": 3, "a": {"c": 4, "c": 5}}"#;
        let (written, value): (Written<'_>, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(text).unwrap());
        assert_eq!(written.to_value(), value);
        assert_eq!(written.canonical(), r#"{"a":{"c":5},"b":3}"#);
    }
}
