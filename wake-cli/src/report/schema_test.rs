//! Checks recorded events, as written by the JSON reporter, against `spec/events.schema.json`.
//!
//! The check knows exactly the keywords that the schema uses and fails on any other, so that no rule of
//! the schema is silently ignored.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use wake_steps::event::{Event, Reporter, Status};

use crate::report::json::Json;
use crate::report::recorded;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/events.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Returns the reporter's output for these events, one value per line.
fn written(events: &[Event]) -> Vec<Value> {
    let mut out = Vec::new();
    let mut json = Json::new(&mut out, Box::new(|| 1_763_679_178_123));
    events.iter().for_each(|event| json.event(event));
    json.tick();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns every kind of event and every status at least once.
fn everything() -> Vec<Event> {
    let mut events = recorded::failing();
    events.extend(recorded::fetching());
    events.extend(recorded::succeeding());
    events.extend(recorded::formula());
    events.push(recorded::finished(9, "//a:b", Status::Aborted, 1));
    events
}

#[test]
fn every_event_matches_the_schema() {
    let schema = schema();
    let lines = written(&everything());
    for line in &lines {
        check(line, &schema, &schema).unwrap_or_else(|fault| panic!("{fault}\n{line:#}"));
    }
    let mut kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_schema = schema["oneOf"].as_array().unwrap().len();
    assert_eq!(kinds.len(), of_schema, "recorded: {kinds:?}");
}

#[test]
fn every_field_is_in_the_schema_and_on_the_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/events.md");
    let page = std::fs::read_to_string(page).unwrap();
    let schema = schema();
    for line in written(&everything()) {
        let described = &schema["$defs"][line["kind"].as_str().unwrap()]["properties"];
        for name in line.as_object().unwrap().keys() {
            let known = described.get(name).or_else(|| schema["properties"].get(name));
            assert!(known.is_some(), "`{name}` of {} is not in the schema", line["kind"]);
            assert!(page.contains(&format!("`{name}`")), "`{name}` is not on the page");
        }
        for name in line["execution"].as_object().into_iter().flat_map(|object| object.keys()) {
            let known = described["execution"]["properties"].get(name);
            assert!(known.is_some(), "`{name}` of an execution is not in the schema");
            assert!(page.contains(&format!("`{name}`")), "`{name}` is not on the page");
        }
    }
}

#[test]
fn the_envelope_counts_and_names_the_run() {
    let lines = written(&recorded::remembered());
    assert_eq!(lines[0]["run"], "7f3a");
    for (seq, line) in lines.iter().enumerate() {
        assert_eq!(line["seq"], json!(seq));
        assert_eq!(line["t"], json!(1_763_679_178.123));
        assert_eq!(line["run"], "7f3a");
    }
}

#[test]
fn an_invalid_event_is_detected() {
    let schema = schema();
    let good = written(&recorded::failing());
    let finished = good.last().unwrap();
    for (field, wrong) in [
        ("exit", json!(256)),
        ("exit", json!("1")),
        ("counts", json!({ "total": 1 })),
        ("kind", json!("ended")),
        ("wall_ms", json!(-1)),
        ("seq", Value::Null),
    ] {
        let mut line = finished.clone();
        line[field] = wrong;
        assert!(check(&line, &schema, &schema).is_err(), "{line}");
    }
    let mut line = finished.clone();
    line.as_object_mut().unwrap().remove("classes");
    assert!(check(&line, &schema, &schema).is_err());
}

#[test]
fn a_reader_waits_for_nothing_but_what_is_remembered() {
    let written = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut json = Json::new(Shared(std::rc::Rc::clone(&written)), Box::new(|| 0));
    for event in &recorded::succeeding()[..7] {
        json.event(event);
    }
    let text = String::from_utf8(written.borrow().clone()).unwrap();
    assert!(text.lines().last().unwrap().contains("action.started"), "{text}");
}

struct Shared(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Checks a value. Source: JSON Schema 2020-12, the keywords that the schema uses.
fn check(value: &Value, rules: &Value, root: &Value) -> Result<(), String> {
    for (word, rule) in rules.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "type" => match rule {
                Value::Array(types) => types.iter().any(|name| is_of(value, name)),
                name => is_of(value, name),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| is_digest(text, rule)),
            "required" => value.as_object().is_none_or(|object| {
                rule.as_array()
                    .unwrap()
                    .iter()
                    .all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(item, rule, root)?;
                }
                true
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        check(field, rule, root).map_err(|fault| format!("{name}: {fault}"))?;
                    }
                }
                true
            }
            "oneOf" => one_of(value, rule, root)?,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(value, root.pointer(pointer).unwrap(), root)?;
                true
            }
            other => panic!("the check does not know `{other}`"),
        };
        if !holds {
            return Err(format!("{word}: {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

fn one_of(value: &Value, rules: &Value, root: &Value) -> Result<bool, String> {
    let faults: Vec<String> = rules
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|rules| check(value, rules, root).err())
        .collect();
    match rules.as_array().unwrap().len() - faults.len() {
        1 => Ok(true),
        _ => Err(faults.join("\n")),
    }
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the check does not know the type `{other}`"),
    }
}

fn is_digest(text: &str, pattern: &Value) -> bool {
    assert_eq!(pattern, "^[0-9a-f]{64}$", "the check supports only this pattern");
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
