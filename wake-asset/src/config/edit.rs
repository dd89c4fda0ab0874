//! Edits of a configuration. Each touches only the entries it names.

use super::contents::{DocumentEntry, TagEntry};
use crate::name::{AssetName, ClassName, GenomeDigest, GenomeName, Tag};
use crate::registry_path::AssetId;
use crate::yaml::{Node, Value};

/// A configuration being edited.
pub(crate) struct Edit {
    root: Node,
}

/// The kind of a document in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A recipe.
    Recipe,
    /// An asset class.
    Class,
}

impl DocumentKind {
    fn section(self) -> &'static str {
        match self {
            DocumentKind::Recipe => "recipes",
            DocumentKind::Class => "asset_classes",
        }
    }
}

impl Edit {
    pub(super) fn new(mut root: Node) -> Edit {
        each_tag(&mut root, quote_seek_keys);
        Edit { root }
    }

    pub(super) fn into_root(self) -> Node {
        self.root
    }

    fn genome(&mut self, digest: &GenomeDigest) -> &mut Node {
        self.root.below("genomes").below(digest.as_str())
    }

    fn asset(&mut self, genome: &GenomeDigest, asset: &AssetName) -> &mut Node {
        self.genome(genome).below("assets").below(asset.as_str())
    }

    fn tag(&mut self, id: &AssetId) -> &mut Node {
        self.asset(&id.genome, &id.asset).below("tags").below(id.tag.as_str())
    }

    pub(crate) fn add_genome(&mut self, digest: &GenomeDigest) {
        let genome = self.genome(digest);
        genome.below("assets");
    }

    pub(crate) fn describe_genome(&mut self, digest: &GenomeDigest, description: &str) {
        self.genome(digest).set("genome_description", Node::text(description));
    }

    pub(crate) fn add_alias(&mut self, digest: &GenomeDigest, alias: &GenomeName) {
        add(self.genome(digest), "aliases", alias.as_str());
    }

    pub(crate) fn remove_alias(&mut self, digest: &GenomeDigest, alias: &GenomeName) {
        drop_item(self.genome(digest), "aliases", alias.as_str());
    }

    /// Sets the description and class of an asset, for all its tags; none leaves a value unchanged.
    pub(crate) fn describe_asset(
        &mut self,
        genome: &GenomeDigest,
        asset: &AssetName,
        description: Option<&str>,
        class: Option<&ClassName>,
    ) {
        let node = self.asset(genome, asset);
        if let Some(description) = description {
            node.set("asset_description", Node::text(description));
        }
        if let Some(class) = class {
            node.set("asset_class", Node::text(class.as_str()));
        }
    }

    /// Adds or replaces a tag of an asset. Unknown keys and the children of a replaced entry are kept.
    pub(crate) fn put_tag(&mut self, id: &AssetId, entry: &TagEntry) {
        let node = self.tag(id);
        set(node, "asset_path", entry.path.as_deref());
        set(node, "asset_digest", entry.digest.as_deref());
        let properties = entry.custom_properties.iter().map(|(key, value)| (&**key, &**value));
        set_map(node, "custom_properties", properties);
        set(node, "date_built", entry.date_built.as_deref());
        let keys = entry.seek_keys.iter().map(|(key, value)| (key.as_str(), &**value));
        node.set("seek_keys", map(keys));
        node.set("asset_parents", Node::texts(entry.parents.iter().map(|parent| &*parent.text)));
        for child in &entry.children {
            add(node, "asset_children", &child.text);
        }
        set(node, "asset_size", entry.size.as_deref());
        set(node, "tag_description", entry.description.as_deref());
        set(node, "wake_tree_digest", entry.tree.as_deref());
        let types = entry.seek_types.iter().map(|(key, kind)| (key.as_str(), <&str>::from(*kind)));
        set_map(node, "wake_seek_types", types);
        // These describe an archive of the previous content.
        for archive in ["archive_digest", "archive_size"] {
            node.remove(archive);
        }
    }

    pub(crate) fn set_default_tag(&mut self, genome: &GenomeDigest, asset: &AssetName, tag: &Tag) {
        self.asset(genome, asset).set("default_tag", Node::text(tag.as_str()));
    }

    /// Adds `child` to the children of `parent`, if the parent is registered.
    pub(crate) fn add_child(&mut self, parent: &AssetId, child: &AssetId) {
        if self.has(parent) {
            add(self.tag(parent), "asset_children", &child.to_string());
        }
    }

    /// Removes `child` from the children of `parent`.
    pub(crate) fn remove_child(&mut self, parent: &AssetId, child: &AssetId) {
        if self.has(parent) {
            drop_item(self.tag(parent), "asset_children", &child.to_string());
        }
    }

    pub(crate) fn remove_parent(&mut self, child: &AssetId, parent: &AssetId) {
        if self.has(child) {
            drop_item(self.tag(child), "asset_parents", &parent.to_string());
        }
    }

    /// Renames a parent or child of an asset.
    pub(crate) fn rename_relative(&mut self, of: &AssetId, from: &AssetId, to: &AssetId) {
        if !self.has(of) {
            return;
        }
        for key in ["asset_parents", "asset_children"] {
            let node = self.tag(of);
            if node.get(key).is_none() {
                continue;
            }
            let Value::List(items) = &mut node.below(key).value else { continue };
            for item in items {
                if matches!(&item.value, Value::Scalar(text) if text.text == from.to_string()) {
                    *item = Node::text(to.to_string());
                }
            }
        }
    }

    /// Renames a tag of an asset, keeping its position.
    pub(crate) fn rename_tag(&mut self, id: &AssetId, to: &Tag) {
        let tags = self.asset(&id.genome, &id.asset).below("tags");
        if let Value::Map(entries) = &mut tags.value
            && let Some(entry) = entries.iter_mut().find(|entry| entry.key.text == id.tag.as_str())
        {
            entry.key = crate::yaml::Scalar::text(to.as_str());
        }
    }

    /// Removes a tag of an asset, and the asset with its last tag. `next` becomes the default tag.
    pub(crate) fn remove_tag(&mut self, id: &AssetId, next: Option<&Tag>) {
        let asset = self.asset(&id.genome, &id.asset);
        asset.below("tags").remove(id.tag.as_str());
        if asset.get("tags").is_none_or(Node::is_empty) {
            self.genome(&id.genome).below("assets").remove(id.asset.as_str());
        } else if let Some(next) = next {
            self.set_default_tag(&id.genome, &id.asset, next);
        }
    }

    /// Adds or replaces the entry of a recipe or class.
    pub(crate) fn put_document(&mut self, kind: DocumentKind, entry: &DocumentEntry) {
        let node = self.root.below(kind.section()).below(&entry.name);
        let known = [
            ("path", &entry.path),
            ("source", &entry.source),
            ("version", &entry.version),
            ("description", &entry.description),
        ];
        for (key, value) in known {
            node.set(key, Node::text(value.as_deref().unwrap_or_default()));
        }
        if let Some(class) = &entry.output_class {
            node.set("output_asset_class", Node::text(class.as_str()));
        }
    }

    pub(crate) fn remove_document(&mut self, kind: DocumentKind, name: &str) {
        self.root.below(kind.section()).remove(name);
    }

    fn has(&self, id: &AssetId) -> bool {
        let keys = ["genomes", id.genome.as_str(), "assets", id.asset.as_str(), "tags"];
        let mut node = Some(&self.root);
        for key in keys {
            node = node.and_then(|node| node.get(key));
        }
        node.is_some_and(|tags| tags.get(id.tag.as_str()).is_some())
    }
}

/// Applies a change to every tag of every asset.
fn each_tag(root: &mut Node, change: fn(&mut Node)) {
    for genome in values(root, "genomes") {
        for asset in values(genome, "assets") {
            values(asset, "tags").for_each(change);
        }
    }
}

/// Quotes seek key values that refgenie would parse as numbers: it cannot read a configuration with such a number.
fn quote_seek_keys(tag: &mut Node) {
    for value in values(tag, "seek_keys") {
        if let Value::Scalar(scalar) = &mut value.value
            && scalar.tag.is_none()
        {
            *scalar = crate::yaml::Scalar::text(std::mem::take(&mut scalar.text));
        }
    }
}

/// Iterates over the values of the mapping under a key.
fn values<'n>(node: &'n mut Node, key: &str) -> impl Iterator<Item = &'n mut Node> {
    let entries = match &mut node.value {
        Value::Map(entries) => entries.as_mut_slice(),
        _ => &mut [],
    };
    let map = entries.iter_mut().find(|entry| entry.key.text == key);
    let entries = match map.map(|entry| &mut entry.value.value) {
        Some(Value::Map(entries)) => entries.as_mut_slice(),
        _ => &mut [],
    };
    entries.iter_mut().map(|entry| &mut entry.value)
}

fn map<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Node {
    let mut node = Node::empty_map();
    for (key, value) in entries {
        node.set(key, Node::text(value));
    }
    node
}

/// Sets a key to a string, or removes the key.
fn set(node: &mut Node, key: &str, text: Option<&str>) {
    match text {
        Some(text) => node.set(key, Node::text(text)),
        None => drop(node.remove(key)),
    }
}

fn set_map<'a>(node: &mut Node, key: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let entries = map(entries);
    match entries.is_empty() {
        true => drop(node.remove(key)),
        false => node.set(key, entries),
    }
}

/// Adds a string to a list, unless it is in the list.
fn add(node: &mut Node, key: &str, text: &str) {
    let list = node.below(key);
    if !matches!(list.value, Value::List(_)) {
        list.value = Value::List(Vec::new());
    }
    if let Value::List(items) = &mut list.value
        && !items.iter().any(|item| is_text(item, text))
    {
        items.push(Node::text(text));
    }
}

fn drop_item(node: &mut Node, key: &str, text: &str) {
    if node.get(key).is_none() {
        return;
    }
    if let Value::List(items) = &mut node.below(key).value {
        items.retain(|item| !is_text(item, text));
    }
}

fn is_text(item: &Node, text: &str) -> bool {
    matches!(&item.value, Value::Scalar(scalar) if scalar.text == text)
}
