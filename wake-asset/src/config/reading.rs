//! Reads the contents of a configuration from its tree.

use std::fmt::Display;
use std::str::FromStr;

use wake_yaml::{Mark, Text};

use super::contents::{AssetEntry, Contents, DocumentEntry, GenomeEntry, Relative, TagEntry};
use crate::error::AssetError;
use crate::seek::SeekType;
use crate::yaml::{Entry, Node, Value};

pub(super) fn contents(source: &Text, root: &Node) -> Result<Contents, AssetError> {
    let read = Read { source };
    if !matches!(root.value, Value::Map(_)) {
        let message = format!("expected a registry configuration, found {}", root.kind());
        return Err(read.fault(root.at, message));
    }
    read.version(root)?;
    let each = |key| read.map(root, key);
    Ok(Contents {
        genome_folder: read.text(root, "genome_folder")?,
        recipe_folder: read.text(root, "recipe_folder")?,
        class_folder: read.text(root, "asset_class_folder")?,
        servers: read.servers(root)?,
        genomes: each("genomes")?
            .iter()
            .map(|entry| read.genome(entry))
            .collect::<Result<_, _>>()?,
        recipes: each("recipes")?
            .iter()
            .map(|entry| read.document(entry))
            .collect::<Result<_, _>>()?,
        classes: each("asset_classes")?
            .iter()
            .map(|entry| read.document(entry))
            .collect::<Result<_, _>>()?,
    })
}

struct Read<'s> {
    source: &'s Text,
}

impl Read<'_> {
    fn fault(&self, at: Mark, message: impl Into<String>) -> AssetError {
        self.source.error(at, message).into()
    }

    fn version(&self, root: &Node) -> Result<(), AssetError> {
        let Some(node) = root.get("config_version") else {
            let hint = "add `config_version: 0.5` or `0.4`";
            let message = "not a registry configuration: `config_version` is missing";
            return Err(self.source.error(root.at, message).with_hint(hint).into());
        };
        let text = self.scalar(node, "config_version")?;
        let hint = match text.parse::<f64>() {
            Ok(version) if (0.4..1.0).contains(&version) => return Ok(()),
            Ok(version) if version < 0.4 => {
                "upgrade it with `refgenie upgrade --target-version 0.4`"
            }
            _ => "wake reads versions 0.4 and 0.5",
        };
        let message = format!("unsupported configuration version {text}");
        Err(self.source.error(node.at, message).with_hint(hint).into())
    }

    fn servers(&self, root: &Node) -> Result<Vec<String>, AssetError> {
        let node = root.get("genome_servers").or_else(|| root.get("genome_server"));
        match node.map(|node| (&node.value, node)) {
            None => Ok(Vec::new()),
            Some((Value::List(items), _)) => {
                items.iter().map(|item| self.scalar(item, "genome_servers")).collect()
            }
            Some((_, node)) => Ok(vec![self.scalar(node, "genome_servers")?]),
        }
    }

    fn genome(&self, entry: &Entry) -> Result<GenomeEntry, AssetError> {
        let node = self.mapping(entry)?;
        let assets = self.map(node, "assets")?;
        let aliases = self
            .list(node, "aliases")?
            .iter()
            .map(|alias| self.parsed(alias.at, &self.scalar(alias, "aliases")?));
        Ok(GenomeEntry {
            digest: self.name(entry)?,
            aliases: aliases.collect::<Result<_, _>>()?,
            description: self.text(node, "genome_description")?,
            assets: assets.iter().map(|asset| self.asset(asset)).collect::<Result<_, _>>()?,
        })
    }

    fn asset(&self, entry: &Entry) -> Result<AssetEntry, AssetError> {
        let node = self.mapping(entry)?;
        let tags = self.map(node, "tags")?;
        Ok(AssetEntry {
            name: self.name(entry)?,
            description: self.text(node, "asset_description")?,
            class: self.named(node, "asset_class")?,
            default_tag: self.named(node, "default_tag")?,
            tags: tags.iter().map(|tag| self.tag(tag)).collect::<Result<_, _>>()?,
        })
    }

    fn tag(&self, entry: &Entry) -> Result<TagEntry, AssetError> {
        let node = self.mapping(entry)?;
        let seek_keys = self.map(node, "seek_keys")?.iter();
        let properties = self.map(node, "custom_properties")?.iter();
        Ok(TagEntry {
            tag: self.name(entry)?,
            description: self.text(node, "tag_description")?,
            path: self.text(node, "asset_path")?,
            digest: self.text(node, "asset_digest")?,
            tree: self.text(node, "wake_tree_digest")?,
            size: self.text(node, "asset_size")?,
            date_built: self.text(node, "date_built")?,
            custom_properties: properties
                .map(|entry| Ok((entry.key.text.clone(), self.any(&entry.value))))
                .collect::<Result<_, AssetError>>()?,
            seek_keys: seek_keys
                .map(|entry| Ok((self.name(entry)?, self.any(&entry.value))))
                .collect::<Result<_, AssetError>>()?,
            seek_types: self.seek_types(node)?,
            parents: self.relatives(node, "asset_parents")?,
            children: self.relatives(node, "asset_children")?,
        })
    }

    fn seek_types(&self, node: &Node) -> Result<Vec<(crate::name::SeekKey, SeekType)>, AssetError> {
        let one = |entry: &Entry| {
            let text = self.scalar(&entry.value, "wake_seek_types")?;
            let kind = text.parse::<SeekType>();
            let kind = kind.map_err(|_| {
                self.fault(entry.value.at, format!("`{text}` is not a seek key type"))
            })?;
            Ok((self.name(entry)?, kind))
        };
        self.map(node, "wake_seek_types")?.iter().map(one).collect()
    }

    fn relatives(&self, node: &Node, key: &str) -> Result<Vec<Relative>, AssetError> {
        let one = |item: &Node| Ok(Relative::read(self.scalar(item, key)?));
        self.list(node, key)?.iter().map(one).collect()
    }

    fn document(&self, entry: &Entry) -> Result<DocumentEntry, AssetError> {
        let node = self.mapping(entry)?;
        Ok(DocumentEntry {
            name: entry.key.text.clone(),
            path: self.text(node, "path")?,
            source: self.text(node, "source")?,
            version: self.text(node, "version")?,
            description: self.text(node, "description")?,
            output_class: self.named(node, "output_asset_class")?,
        })
    }

    fn mapping<'n>(&self, entry: &'n Entry) -> Result<&'n Node, AssetError> {
        match entry.value.value {
            Value::Map(_) => Ok(&entry.value),
            _ if entry.value.is_null() => Ok(&entry.value),
            _ => Err(self.mismatch(&entry.value, &entry.key.text, "a mapping")),
        }
    }

    fn map<'n>(&self, node: &'n Node, key: &str) -> Result<&'n [Entry], AssetError> {
        match node.get(key) {
            None => Ok(&[]),
            Some(Node { value: Value::Map(entries), .. }) => Ok(entries),
            Some(other) => Err(self.mismatch(other, key, "a mapping")),
        }
    }

    fn list<'n>(&self, node: &'n Node, key: &str) -> Result<&'n [Node], AssetError> {
        match node.get(key) {
            None => Ok(&[]),
            Some(Node { value: Value::List(items), .. }) => Ok(items),
            Some(other) => Err(self.mismatch(other, key, "a list")),
        }
    }

    fn text(&self, node: &Node, key: &str) -> Result<Option<String>, AssetError> {
        node.get(key).map(|node| self.scalar(node, key)).transpose()
    }

    fn named<T: FromStr<Err: Display>>(
        &self,
        node: &Node,
        key: &str,
    ) -> Result<Option<T>, AssetError> {
        let Some(node) = node.get(key) else { return Ok(None) };
        self.parsed(node.at, &self.scalar(node, key)?).map(Some)
    }

    /// Parses the key of an entry as a name.
    fn name<T: FromStr<Err: Display>>(&self, entry: &Entry) -> Result<T, AssetError> {
        self.parsed(entry.at, &entry.key.text)
    }

    fn parsed<T: FromStr<Err: Display>>(&self, at: Mark, text: &str) -> Result<T, AssetError> {
        text.parse().map_err(|error: T::Err| self.fault(at, error.to_string()))
    }

    /// Returns the text of a scalar, however YAML interprets it.
    fn scalar(&self, node: &Node, key: &str) -> Result<String, AssetError> {
        match &node.value {
            Value::Scalar(scalar) => Ok(scalar.text.clone()),
            _ => Err(self.mismatch(node, key, "a string")),
        }
    }

    /// Returns any value as text: lists and mappings as JSON.
    fn any(&self, node: &Node) -> String {
        match &node.value {
            Value::Scalar(scalar) => scalar.text.clone(),
            _ => as_json(node).to_string(),
        }
    }

    fn mismatch(&self, node: &Node, key: &str, expected: &str) -> AssetError {
        self.fault(node.at, format!("`{key}` is {}: expected {expected}", node.kind()))
    }
}

fn as_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar(scalar) if scalar.is_null() => serde_json::Value::Null,
        Value::Scalar(scalar) => match scalar.style {
            crate::yaml::Style::Plain => {
                serde_json::from_str(&scalar.text).unwrap_or_else(|_| scalar.text.clone().into())
            }
            crate::yaml::Style::Quoted => scalar.text.clone().into(),
        },
        Value::List(items) => items.iter().map(as_json).collect(),
        Value::Map(entries) => {
            let entry = |entry: &Entry| (entry.key.text.clone(), as_json(&entry.value));
            serde_json::Value::Object(entries.iter().map(entry).collect())
        }
    }
}
