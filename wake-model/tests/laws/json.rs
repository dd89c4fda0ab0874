//! Canonical JSON: one text for each value.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value};
use wake_model::json::{canonical, digest};

proptest! {
    #[test]
    fn a_double_comes_back(double in any::<f64>().prop_filter("JSON has no such number", |d| d.is_finite())) {
        let text = canonical(&Value::from(double));
        // The standard library parses every decimal text to the nearest double.
        prop_assert_eq!(text.parse::<f64>(), Ok(double));
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.as_f64(), Some(double));
    }

    #[test]
    fn a_value_comes_back(value in value()) {
        let read: Value = serde_json::from_str(&canonical(&value)).unwrap();
        prop_assert_eq!(canonical(&read), canonical(&value));
        prop_assert_eq!(&read, &as_doubles(&value));
    }

    #[test]
    fn spelling_does_not_matter(value in value()) {
        let spaced: Value = serde_json::from_str(&serde_json::to_string_pretty(&value).unwrap()).unwrap();
        prop_assert_eq!(digest(&spaced), digest(&value));
        prop_assert_eq!(canonical(&backwards(&value)), canonical(&value));
    }

    #[test]
    fn other_values_have_other_texts(left in value(), right in value()) {
        prop_assert_eq!(canonical(&left) == canonical(&right), as_doubles(&left) == as_doubles(&right));
        prop_assert_eq!(digest(&left) == digest(&right), canonical(&left) == canonical(&right));
    }
}

/// Returns values at most three levels deep, with few different leaves.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3i64).prop_map(Value::from),
        (-2.0..2.0f64).prop_map(Value::from),
        Just(Value::from(1.0)),
        "[a\"\\\\\n\u{1}é😀]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[abé～😀]{0,2}", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Replaces fractions that are integers: JSON has only one kind of number.
fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 => Value::from(double as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(as_doubles).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.clone(), as_doubles(field))).collect()
        }
        other => other.clone(),
    }
}

/// Returns the value with its keys inserted in reverse order.
fn backwards(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(backwards).collect(),
        Value::Object(fields) => {
            fields.iter().rev().map(|(key, field)| (key.clone(), backwards(field))).collect()
        }
        other => other.clone(),
    }
}
