//! What is found by the seek keys of an asset.

use std::path::{Path, PathBuf};

use serde::Serialize;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

use crate::name::SeekKey;

/// What kind of thing a seek key finds, as asset classes name it.
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
    /// What the names of several files begin with.
    Prefix,
    /// A number.
    Number,
    /// A text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A list, as JSON.
    Array,
}

impl SeekType {
    /// Whether it finds something on disk.
    pub fn is_path(self) -> bool {
        matches!(self, SeekType::Directory | SeekType::File | SeekType::Prefix)
    }
}

impl SeekType {
    /// What a value is taken for where nothing says what it is: what it leads to below `dir`, else a text.
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

/// A seek key of one asset, with what it comes to there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeekEntry {
    /// The key.
    pub key: SeekKey,
    /// What it finds.
    pub kind: SeekType,
    /// The path below the directory of the asset, or the value as a text.
    pub value: String,
}

/// What a seek key comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum SeekValue {
    /// A file, a directory or what file names begin with.
    Path(PathBuf),
    /// A number, a text, a truth value or a list.
    Value(serde_json::Value),
}

/// What is wrong with the value of a seek key that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no {kind}")]
pub struct SeekValueError {
    /// The value.
    pub value: String,
    /// What it was to be.
    pub kind: SeekType,
}

impl SeekType {
    /// The value that a text stands for; a path is a text here.
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
            // As YAML 1.1 and Python write it, too: what a template gives of `True` is that.
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
    fn a_value_is_of_the_type_that_the_class_says() {
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
        assert_eq!(error.to_string(), "`x` is no number");
        assert_eq!("prefix".parse::<SeekType>().unwrap(), SeekType::Prefix);
    }
}
