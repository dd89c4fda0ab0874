//! Documents about assets and genomes in an archive place. Source: `spec/assets.md`, "Archives".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::DocumentKind;
use crate::error::AssetError;
use crate::genome::Sequence;

/// The format version of these documents.
pub(crate) const FORM: u64 = 1;

/// Describes one tag of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FormDocument {
    pub(crate) wake: u64,
    pub(crate) genome: String,
    pub(crate) asset: String,
    pub(crate) tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asset_class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asset_description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag_description: Option<String>,
    pub(crate) asset_digest: String,
    pub(crate) wake_tree_digest: String,
    #[serde(default)]
    pub(crate) seek_keys: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) wake_seek_types: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) custom_properties: Vec<(String, String)>,
    /// Each with its digest, if known.
    #[serde(default)]
    pub(crate) asset_parents: Vec<ParentDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date_built: Option<String>,
    /// The recipe that built it, if its registry has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recipe: Option<KeptDocument>,
    /// Its class and that class's ancestors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asset_classes: Vec<KeptDocument>,
    pub(crate) archive_digest: String,
    pub(crate) archive_sha256: String,
    pub(crate) archive_size: u64,
}

impl FormDocument {
    /// Iterates over the documents to add with the asset: each class after its ancestors, and the recipe last.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (DocumentKind, &KeptDocument)> {
        let classes = self.asset_classes.iter().rev().map(|class| (DocumentKind::Class, class));
        classes.chain(self.recipe.iter().map(|recipe| (DocumentKind::Recipe, recipe)))
    }
}

/// A recipe or an asset class that accompanies an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptDocument {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: String,
    /// For a recipe: its output asset class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output_asset_class: Option<String>,
    /// The content of its file.
    pub(crate) text: String,
}

/// A parent of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParentDocument {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asset_digest: Option<String>,
}

/// Describes an asset, for all tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AssetDocument {
    pub(crate) wake: u64,
    pub(crate) default_tag: String,
}

/// Describes a genome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct GenomeDocument {
    pub(crate) wake: u64,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) sequences: Vec<Sequence>,
}

/// Which genome an alias is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AliasDocument {
    pub(crate) wake: u64,
    pub(crate) digest: String,
}

/// The index of a place that cannot be listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexDocument {
    pub(crate) wake: u64,
    pub(crate) genomes: Vec<IndexGenome>,
}

/// A genome in such a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexGenome {
    pub(crate) digest: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) assets: Vec<IndexAsset>,
}

/// An asset of such a genome, with its tags.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexAsset {
    pub(crate) asset: String,
    pub(crate) tags: Vec<String>,
}

/// Serialises a document.
pub(crate) fn json(document: &impl Serialize) -> Vec<u8> {
    // Every value of these types can be serialised.
    serde_json::to_vec(document).unwrap_or_default()
}

/// Parses a document; `place` is its origin.
pub(crate) fn read<'a, T: Deserialize<'a>>(place: &str, bytes: &'a [u8]) -> Result<T, AssetError> {
    let wrong =
        |problem: String| AssetError::Place { place: place.to_owned(), problem, hint: None };
    #[derive(Deserialize)]
    struct Form {
        wake: u64,
    }
    let form: Form = serde_json::from_slice(bytes)
        .map_err(|error| wrong(format!("not an asset document: {error}")))?;
    if form.wake != FORM {
        return Err(wrong(format!(
            "it has format version {}, but this wake supports version {FORM}",
            form.wake
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
}
