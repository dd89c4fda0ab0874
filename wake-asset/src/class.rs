//! What the seek keys of an asset class find, read from the document that a registry keeps of it.
//!
//! Only that is read here: whoever builds assets reads such documents whole.

use std::fs;
use std::path::PathBuf;

use crate::seek::SeekType;
use crate::yaml;

/// Classes above each other, at most.
const DEEPEST: usize = 32;

/// What `key` finds by the class `name` or one above it; the nearest one that says it counts. `file` says where a class lies.
pub(crate) fn seek_type(
    file: &dyn Fn(&str) -> Option<PathBuf>,
    name: &str,
    key: &str,
) -> Option<SeekType> {
    look(file, name, key, DEEPEST)
}

fn look(
    file: &dyn Fn(&str) -> Option<PathBuf>,
    name: &str,
    key: &str,
    depth: usize,
) -> Option<SeekType> {
    let bytes = fs::read(file(name)?).ok()?;
    let root = yaml::parse(std::str::from_utf8(&bytes).ok()?).ok()?;
    let own = root.get("seek_keys").and_then(|keys| keys.get(key)?.get("type"));
    if let Some(yaml::Value::Scalar(kind)) = own.map(|node| &node.value) {
        return kind.text.parse().ok();
    }
    let depth = depth.checked_sub(1)?;
    let Some(yaml::Value::List(parents)) = root.get("parents").map(|node| &node.value) else {
        return None;
    };
    // A later class counts before an earlier one, as its keys take the place of theirs.
    parents.iter().rev().find_map(|parent| match &parent.value {
        yaml::Value::Scalar(parent) => look(file, &parent.text, key, depth),
        _ => None,
    })
}
