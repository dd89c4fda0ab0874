//! The configuration that the command line gives its targets.

use serde_json::Value;
use wake_build::diagnostic::{Class, Diagnostic};

use crate::args::ConfigArgs;

/// The keys and values of `--config-json`, then those of each `--config`, the last of a key winning.
pub(crate) fn configs(args: &ConfigArgs) -> Result<Vec<(String, Value)>, Diagnostic> {
    let mut configs = Vec::new();
    if let Some(text) = &args.config_json {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => configs.extend(object),
            Ok(_) => return Err(not_an_object(text, "it is JSON of another kind")),
            Err(error) => return Err(not_an_object(text, &error.to_string())),
        }
    }
    for text in &args.config {
        configs.push(pair(text)?);
    }
    let mut last: Vec<(String, Value)> = Vec::with_capacity(configs.len());
    for (key, value) in configs {
        last.retain(|(earlier, _)| *earlier != key);
        last.push((key, value));
    }
    Ok(last)
}

fn pair(text: &str) -> Result<(String, Value), Diagnostic> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let typed = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((key.to_owned(), typed))
        }
        _ => Err(Diagnostic::error(Class::Usage, format!("`--config {text}` has no value"))
            .help("write `--config key=value`; the value is JSON, or else a string")),
    }
}

fn not_an_object(text: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(Class::Usage, format!("`--config-json {text}` is not an object: {reason}"))
        .help("write `--config-json '{\"key\": value}'`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(config: &[&str], whole: Option<&str>) -> Result<Vec<(String, Value)>, Diagnostic> {
        configs(&ConfigArgs {
            config: config.iter().map(|&text| text.to_owned()).collect(),
            config_json: whole.map(str::to_owned),
        })
    }

    #[test]
    fn values_are_json_where_they_parse() {
        let found = read(&["n=3", "b=true", "s=gcc", "q=\"3\"", "o={\"a\":[1]}", "e=", "x=a=b"], None);
        let expected = [
            ("n", json!(3)),
            ("b", json!(true)),
            ("s", json!("gcc")),
            ("q", json!("3")),
            ("o", json!({"a": [1]})),
            ("e", json!("")),
            ("x", json!("a=b")),
        ];
        assert_eq!(found.unwrap(), expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn single_keys_win_over_the_whole() {
        let found = read(&["a=2", "a=3"], Some(r#"{"a":1,"b":1}"#)).unwrap();
        assert_eq!(found, [("b".to_owned(), json!(1)), ("a".to_owned(), json!(3))]);
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(read(&["opt"], None).unwrap_err().message, "`--config opt` has no value");
        assert_eq!(read(&["=x"], None).unwrap_err().class, Class::Usage);
        let list = read(&[], Some("[1]")).unwrap_err();
        assert_eq!(
            list.message,
            "`--config-json [1]` is not an object: it is JSON of another kind"
        );
    }
}
