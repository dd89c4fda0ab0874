//! The files of vectors, and their texts.

use std::ops::Index;
use std::path::PathBuf;

use serde_json::Value;
use wake_model::Digest;

/// One vector.
pub(crate) struct Case(pub(crate) Value);

impl Index<&str> for Case {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.0[name]
    }
}

/// Returns the vectors of one file; there is at least one.
pub(crate) fn cases(name: &str) -> Vec<Case> {
    let path = folder().join(format!("{name}.json"));
    let content: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = content["cases"].as_array().unwrap();
    assert!(!cases.is_empty(), "{name}");
    cases.iter().cloned().map(Case).collect()
}

/// Returns the names of all files, sorted.
pub(crate) fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()
    };
    let mut names: Vec<_> = entries.map(stem).collect();
    names.sort();
    names
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors")
}

/// Returns a mandatory text.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Returns a mandatory digest.
pub(crate) fn digest(value: &Value) -> Digest {
    text(value).parse().unwrap()
}

/// Decodes hexadecimal digits.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let digits = text(value).as_bytes();
    assert_eq!(digits.len() % 2, 0);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
