//! The configuration of targets, from the command line.

use serde_json::{Map, Value};
use wake_build::TargetConfig;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::args::ConfigArgs;

/// Combines `--config-json` with the keys of each `--config`; keys alone override those of the default. `None` if neither is
/// given.
pub(crate) fn config(args: &ConfigArgs) -> Result<Option<TargetConfig>, Diagnostic> {
    let mut keys = Map::new();
    for text in &args.config {
        let (key, value) = pair(text)?;
        keys.insert(key, value);
    }
    Ok(match args.config_json.as_deref().map(whole).transpose()? {
        None if keys.is_empty() => None,
        None => Some(TargetConfig::Keys(keys)),
        Some(whole) if keys.is_empty() => Some(TargetConfig::Whole(whole)),
        Some(Value::Object(mut object)) => {
            object.extend(keys);
            Some(TargetConfig::Whole(Value::Object(object)))
        }
        Some(_) => {
            let message = "`--config` sets a key, but `--config-json` is not an object";
            return Err(Diagnostic::error(Class::Usage, message));
        }
    })
}

fn whole(text: &str) -> Result<Value, Diagnostic> {
    serde_json::from_str(text).map_err(|error| {
        Diagnostic::error(Class::Usage, format!("`--config-json {text}` is not JSON: {error}"))
            .help("write `--config-json '{\"key\": value}'`")
    })
}

fn pair(text: &str) -> Result<(String, Value), Diagnostic> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            let typed = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            Ok((key.to_owned(), typed))
        }
        _ => Err(Diagnostic::error(Class::Usage, format!("`--config {text}` has no value"))
            .help("write `--config key=value`; the value is JSON or a string")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(pairs: &[&str], whole: Option<&str>) -> Result<Option<TargetConfig>, Diagnostic> {
        config(&ConfigArgs {
            config: pairs.iter().map(|&text| text.to_owned()).collect(),
            config_json: whole.map(str::to_owned),
        })
    }

    #[test]
    fn values_are_json_where_they_parse() {
        let pairs = ["n=3", "b=true", "s=gcc", "q=\"3\"", "o={\"a\":[1]}", "e=", "x=a=b"];
        let expected = json!({
            "n": 3, "b": true, "s": "gcc", "q": "3", "o": { "a": [1] }, "e": "", "x": "a=b"
        });
        let Value::Object(expected) = expected else { panic!("{expected}") };
        assert_eq!(read(&pairs, None), Ok(Some(TargetConfig::Keys(expected))));
    }

    #[test]
    fn without_flags_the_module_decides() {
        assert_eq!(read(&[], None), Ok(None));
        assert_eq!(read(&[], Some("[1]")), Ok(Some(TargetConfig::Whole(json!([1])))));
    }

    #[test]
    fn single_keys_win_over_the_whole_and_the_last_over_the_first() {
        let found = read(&["a=2", "a=3"], Some(r#"{"a":1,"b":1}"#));
        assert_eq!(found, Ok(Some(TargetConfig::Whole(json!({ "a": 3, "b": 1 })))));
    }

    #[test]
    fn invalid_flags_are_named() {
        assert_eq!(read(&["opt"], None).unwrap_err().message, "`--config opt` has no value");
        assert_eq!(read(&["=x"], None).unwrap_err().class, Class::Usage);
        assert_eq!(
            read(&[], Some("{")).unwrap_err().message,
            "`--config-json {` is not JSON: EOF while parsing an object at line 1 column 1"
        );
        assert!(read(&["a=1"], Some("[1]")).is_err());
    }
}
