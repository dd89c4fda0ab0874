//! Seek key types and ancestors of asset classes, read from the documents in a registry.
//!
//! Only these are read here; `wake-recipe` reads the documents in full.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use wake_yaml::{Node, Value, Yaml};

use crate::REFGENIE;
use crate::seek::SeekType;

/// The most levels of inheritance.
const DEEPEST: usize = 32;

/// Returns the path of a class's document.
type FileOf<'a> = &'a dyn Fn(&str) -> Option<PathBuf>;

/// Returns the type of `key` in the class `name` or its nearest ancestor that declares it.
pub(crate) fn seek_type(file: FileOf<'_>, name: &str, key: &str) -> Option<SeekType> {
    look(file, name, key, DEEPEST)
}

/// Returns the class `name` and its ancestors, each once, as far as their documents exist.
pub(crate) fn lineage(file: FileOf<'_>, name: &str) -> Vec<String> {
    let mut names = Vec::new();
    gather(file, name, &mut names, DEEPEST);
    names
}

fn look(file: FileOf<'_>, name: &str, key: &str, depth: usize) -> Option<SeekType> {
    let root = read(file, name)?;
    let own = get(&root, "seek_keys").and_then(|keys| get(get(keys, key)?, "type"));
    if let Some(Value::Text { text, .. }) = own.map(|node| &node.value) {
        return text.parse().ok();
    }
    let depth = depth.checked_sub(1)?;
    // A later parent takes precedence, since its keys override those of earlier ones.
    parents(&root).rev().find_map(|parent| look(file, parent, key, depth))
}

fn gather(file: FileOf<'_>, name: &str, names: &mut Vec<String>, depth: usize) {
    let (Some(root), Some(depth)) = (read(file, name), depth.checked_sub(1)) else { return };
    if names.iter().any(|known| known == name) {
        return;
    }
    names.push(name.to_owned());
    parents(&root).for_each(|parent| gather(file, parent, names, depth));
}

fn read(file: FileOf<'_>, name: &str) -> Option<Arc<Node>> {
    let path = file(name)?;
    let bytes = fs::read(&path).ok()?;
    Some(Yaml::parse(&path.display().to_string(), &bytes, REFGENIE).ok()?.root)
}

fn parents(root: &Node) -> impl DoubleEndedIterator<Item = &str> {
    let items = match get(root, "parents").map(|node| &node.value) {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(|item| match &item.value {
        Value::Text { text, .. } => Some(text.as_str()),
        _ => None,
    })
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &*entry.value)
}
