//! Seek keys: the named files and values of an asset.

use std::path::{Path, PathBuf};

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use crate::name::SeekKey;

/// The type of a seek key, as asset classes name it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantNames,
    Serialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum SeekType {
    /// A directory of the asset.
    Directory,
    /// A file of the asset.
    File,
    /// A common prefix of file names.
    Prefix,
    /// A number.
    Number,
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// A list, in JSON.
    Array,
}

impl SeekType {
    /// Whether the key's value is a path.
    pub fn is_path(self) -> bool {
        matches!(self, SeekType::Directory | SeekType::File | SeekType::Prefix)
    }
}

impl SeekType {
    /// Guesses the type of a value: the type of its path below `dir` if that exists, else a string.
    pub fn guess(dir: &Path, value: &str) -> SeekType {
        let path = dir.join(value);
        let begins = |entry: &std::fs::DirEntry| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            !name.is_empty() && entry.file_name().to_string_lossy().starts_with(&name)
        };
        let is_prefix = || {
            let entries = path.parent().map(std::fs::read_dir);
            entries.and_then(Result::ok).is_some_and(|mut entries| {
                entries.any(|entry| entry.is_ok_and(|entry| begins(&entry)))
            })
        };
        match () {
            () if value == "." || path.is_dir() => SeekType::Directory,
            () if path.exists() => SeekType::File,
            () if is_prefix() => SeekType::Prefix,
            () => SeekType::String,
        }
    }
}

/// A seek key of one asset, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeekEntry {
    /// The key.
    pub key: SeekKey,
    /// Its type.
    pub kind: SeekType,
    /// The path below the asset's directory, or the value as text.
    pub value: String,
}

/// The result of a seek key lookup.
#[derive(Clone, Debug, PartialEq)]
pub enum SeekValue {
    /// A file, a directory or a file name prefix.
    Path(PathBuf),
    /// A number, a string, a boolean or a list.
    Value(serde_json::Value),
}

/// Why the value of a seek key does not have its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {} {kind}", article(.kind))]
pub struct SeekValueError {
    /// The value.
    pub value: String,
    /// The expected type.
    pub kind: SeekType,
}

fn article(kind: &SeekType) -> &'static str {
    if *kind == SeekType::Array { "an" } else { "a" }
}

impl SeekType {
    /// Parses the value from text; a path stays text.
    pub fn value_of(self, text: &str) -> Result<serde_json::Value, SeekValueError> {
        let wrong = || SeekValueError { value: text.escape_debug().to_string(), kind: self };
        let json = || serde_json::from_str::<serde_json::Value>(text.trim());
        match self {
            SeekType::Directory | SeekType::File | SeekType::Prefix | SeekType::String => {
                Ok(text.into())
            }
            SeekType::Number => match json() {
                Ok(value) if value.is_number() => Ok(value),
                _ => Err(wrong()),
            },
            // Python's spelling as well: templates render `True`.
            SeekType::Boolean => match text.trim().to_ascii_lowercase().as_str() {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(wrong()),
            },
            SeekType::Array => match json() {
                Ok(value) if value.is_array() => Ok(value),
                _ => Err(wrong()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_has_the_type_its_class_declares() {
        let value = |kind: SeekType, text: &str| kind.value_of(text).ok();
        assert_eq!(value(SeekType::Number, "4"), Some(json!(4)));
        assert_eq!(value(SeekType::Number, "-0.5e3"), Some(json!(-500.0)));
        assert_eq!(value(SeekType::String, "4"), Some(json!("4")));
        assert_eq!(value(SeekType::Boolean, "True"), Some(json!(true)));
        assert_eq!(value(SeekType::Array, "[1, \"a\"]"), Some(json!([1, "a"])));
        for (kind, text) in [
            (SeekType::Number, "four"),
            (SeekType::Number, "\"4\""),
            (SeekType::Boolean, "yes"),
            (SeekType::Array, "1,2"),
        ] {
            assert_eq!(value(kind, text), None, "{text}");
        }
        let error = SeekType::Number.value_of("x").unwrap_err();
        assert_eq!(error.to_string(), "`x` is not a number");
        assert_eq!("prefix".parse::<SeekType>().unwrap(), SeekType::Prefix);
    }
}
