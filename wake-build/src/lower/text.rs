//! Values in the form that a command receives: arguments, variables, standard input.

use wake_model::RelPath;
use wake_model::declared::{LONGEST_TIMEOUT, is_timeout, memory_size};
use wake_model::json::push_text;
use wake_steps::step::Terms;

use crate::module::Exec;
use crate::view::{Special, special};
use crate::written::JsonValue;

/// The longest value of a variable, in bytes.
const LONGEST_VARIABLE: usize = 4096;

/// Returns the text of an argument.
pub(super) fn argument(value: &JsonValue<'_>) -> Result<String, String> {
    scalar(value)
        .ok_or_else(|| format!("an argument is {}: expected a string, number or file", kind(value)))
}

/// Returns the text of a variable.
pub(super) fn variable(name: &str, value: &JsonValue<'_>) -> Result<String, String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("`{name}` is not a valid name for an environment variable"));
    }
    let text = match value {
        JsonValue::List(items) => list(name, items)?,
        one => scalar(one).ok_or_else(|| {
            format!(
                "variable `{name}` is {}: expected a string, number, file or list of these",
                kind(one)
            )
        })?,
    };
    if text.len() > LONGEST_VARIABLE {
        let size = text.len();
        return Err(format!(
            "variable `{name}` is {size} bytes long, but the limit is {LONGEST_VARIABLE}: pass it in `config` instead"
        ));
    }
    if text.contains('\0') {
        return Err(format!("variable `{name}` contains a NUL character"));
    }
    Ok(text)
}

/// Joins elements with `:` if all are paths, otherwise with a space.
fn list(name: &str, items: &[JsonValue<'_>]) -> Result<String, String> {
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let text = scalar(item);
        texts.push(
            text.ok_or_else(|| format!("variable `{name}` has an element that is {}", kind(item)))?,
        );
    }
    let is_path = |text: &String| text.starts_with("./") || text.starts_with('/');
    let separator = if !texts.is_empty() && texts.iter().all(is_path) { ":" } else { " " };
    Ok(texts.join(separator))
}

fn scalar(value: &JsonValue<'_>) -> Option<String> {
    match value {
        JsonValue::Text(text) => Some(text.to_string()),
        JsonValue::Number(_) => Some(value.canonical()),
        object => Some(special(object)?.path()?.trim_end_matches('/').to_owned()),
    }
}

/// Returns a line of canonical JSON with file objects as local paths; empty for null.
pub(super) fn stdin(config: &JsonValue<'_>) -> String {
    if config.is_null() { String::new() } else { with_paths(config) }
}

/// Returns a line of canonical JSON with file objects as local paths.
pub(super) fn with_paths(value: &JsonValue<'_>) -> String {
    let mut text = String::new();
    push_with_paths(value, &mut text);
    text.push('\n');
    text
}

fn push_with_paths(value: &JsonValue<'_>, out: &mut String) {
    match special(value) {
        Some(Special::File { path, .. } | Special::Fetched { path, .. }) => {
            push_text(path.trim_end_matches('/'), out)
        }
        _ => value.push_with(out, &mut |_, inner, out| push_with_paths(inner, out)),
    }
}

/// Returns the terms of an exec.
pub(super) fn terms(exec: &Exec<'_>) -> Result<Terms, String> {
    let depfile = exec.depfile.as_deref().map(RelPath::parse).transpose();
    let depfile = depfile.map_err(|error| error.to_string())?;
    let mut terms = Terms { timeout: exec.timeout, depfile, ..Terms::default() };
    if exec.timeout.is_some_and(|seconds| !is_timeout(seconds)) {
        return Err(format!("`timeout` must be above 0 and at most {LONGEST_TIMEOUT} seconds"));
    }
    let JsonValue::Fields(resources) = &exec.resources else {
        return if exec.resources.is_null() {
            Ok(terms)
        } else {
            Err("`resources` must be an object".to_owned())
        };
    };
    for (name, value) in resources {
        match (&**name, value) {
            ("cpus", value) => terms.cpus = Some(cpus(value)?),
            ("memory", value) => terms.memory = Some(bytes(value)?),
            ("scratch", JsonValue::Text(place)) if place == "disk" => terms.on_disk = true,
            ("scratch", JsonValue::Text(place)) if place == "memory" => terms.on_disk = false,
            ("scratch", _) => {
                return Err("`resources.scratch` is `'memory'` or `'disk'`".to_owned());
            }
            (other, _) => {
                let known = "`cpus`, `memory` and `scratch`";
                return Err(format!("`resources` has no `{other}`: the fields are {known}"));
            }
        }
    }
    Ok(terms)
}

fn cpus(value: &JsonValue<'_>) -> Result<u32, String> {
    let whole = whole_number(value).and_then(|number| u32::try_from(number).ok());
    whole.filter(|&number| number > 0).ok_or_else(|| {
        format!("`resources.cpus` is {}: expected a whole number from 1", value.to_value())
    })
}

/// Parses a size: a number of bytes, or a text with a unit, `'512 MiB'`.
fn bytes(value: &JsonValue<'_>) -> Result<u64, String> {
    let wrong = || {
        let value = value.to_value();
        format!("`resources.memory` is {value}: expected bytes or a string such as '512MiB'")
    };
    if let Some(number) = whole_number(value) {
        return Ok(number);
    }
    value.as_str().and_then(memory_size).ok_or_else(wrong)
}

fn whole_number(value: &JsonValue<'_>) -> Option<u64> {
    match value {
        JsonValue::Number(number) => number.as_u64(),
        _ => None,
    }
}

fn kind(value: &JsonValue<'_>) -> &'static str {
    match value {
        JsonValue::Null => "null",
        JsonValue::Bool(_) => "true or false",
        JsonValue::Number(_) => "a number",
        JsonValue::Text(_) => "a string",
        JsonValue::List(_) => "a list",
        JsonValue::Fields(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    /// Passes a value to `tell` as it is read from a text.
    fn of<T>(value: &Value, tell: impl FnOnce(&JsonValue<'_>) -> T) -> T {
        tell(&serde_json::from_str(&value.to_string()).unwrap())
    }

    fn file(path: &str) -> Value {
        json!({"type": "file", "path": path, "from": null, "dump": false})
    }

    #[test]
    fn variables_are_converted_to_text() {
        let text = |value: Value| of(&value, |value| variable("V", value));
        assert_eq!(text(json!(3)), Ok("3".into()));
        assert_eq!(text(json!("-O2")), Ok("-O2".into()));
        assert_eq!(text(file("./bin/x")), Ok("./bin/x".into()));
        assert_eq!(text(json!(["-a", "-b"])), Ok("-a -b".into()));
        assert_eq!(text(json!([file("./a"), "/b"])), Ok("./a:/b".into()));
        assert_eq!(text(json!([])), Ok(String::new()));
        assert!(text(json!({"a": 1})).is_err());
        assert!(text(json!(true)).is_err());
        assert!(text(json!("x".repeat(4096))).is_ok());
        assert!(text(json!("x".repeat(4097))).is_err_and(|e| e.contains("`V` is 4097 bytes")));
        assert!(variable("A=B", &JsonValue::from("")).is_err());
    }

    #[test]
    fn standard_input_is_one_line_or_empty() {
        assert_eq!(stdin(&JsonValue::Null), "");
        let config = json!({"b": file("./x"), "a": 1.0});
        assert_eq!(of(&config, stdin), "{\"a\":1,\"b\":\"./x\"}\n");
    }

    #[test]
    fn sizes_are_parsed_with_units() {
        assert_eq!(of(&json!("512MiB"), bytes), Ok(512 << 20));
        assert_eq!(of(&json!("2 GiB"), bytes), Ok(2 << 30));
        assert_eq!(of(&json!(17), bytes), Ok(17));
        assert!(of(&json!("lots"), bytes).is_err());
    }
}
