//! What is said of assets and genomes where archives lie. Source: `spec/assets.md`, "Archives".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::DocumentKind;
use crate::error::AssetError;
use crate::genome::Sequence;

/// The form of these documents.
pub(crate) const FORM: u64 = 1;

/// What is said of one form of an asset.
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
    /// Each with its digest, where that is known.
    #[serde(default)]
    pub(crate) asset_parents: Vec<ParentDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) date_built: Option<String>,
    /// The recipe that made it, as far as its registry keeps that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recipe: Option<KeptDocument>,
    /// Its class, and those that it inherits from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asset_classes: Vec<KeptDocument>,
    pub(crate) archive_digest: String,
    pub(crate) archive_sha256: String,
    pub(crate) archive_size: u64,
}

impl FormDocument {
    /// What is to be kept with the asset: a class behind those that it inherits from, and the recipe last.
    pub(crate) fn documents(&self) -> impl Iterator<Item = (DocumentKind, &KeptDocument)> {
        let classes = self.asset_classes.iter().rev().map(|class| (DocumentKind::Class, class));
        classes.chain(self.recipe.iter().map(|recipe| (DocumentKind::Recipe, recipe)))
    }
}

/// A recipe or an asset class that goes with an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptDocument {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: String,
    /// Of a recipe: the class of what it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output_asset_class: Option<String>,
    /// What its file holds.
    pub(crate) text: String,
}

/// What an asset was made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParentDocument {
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asset_digest: Option<String>,
}

/// What is said of an asset whatever its tag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AssetDocument {
    pub(crate) wake: u64,
    pub(crate) default_tag: String,
}

/// What is said of a genome.
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

/// What is in a place that cannot be looked through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexDocument {
    pub(crate) wake: u64,
    pub(crate) genomes: Vec<IndexGenome>,
}

/// A genome of such a place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexGenome {
    pub(crate) digest: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) assets: Vec<IndexAsset>,
}

/// An asset of such a genome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexAsset {
    pub(crate) asset: String,
    pub(crate) tags: Vec<String>,
}

/// The bytes of one.
pub(crate) fn json(document: &impl Serialize) -> Vec<u8> {
    // Of these types every value has a form in JSON.
    serde_json::to_vec(document).unwrap_or_default()
}

/// Reads one; `place` is where it came from.
pub(crate) fn read<'a, T: Deserialize<'a>>(place: &str, bytes: &'a [u8]) -> Result<T, AssetError> {
    let wrong =
        |problem: String| AssetError::Place { place: place.to_owned(), problem, hint: None };
    #[derive(Deserialize)]
    struct Form {
        wake: u64,
    }
    let form: Form = serde_json::from_slice(bytes)
        .map_err(|error| wrong(format!("it is no document of an asset: {error}")))?;
    if form.wake != FORM {
        return Err(wrong(format!(
            "it has format version {}, but this wake supports version {FORM}",
            form.wake
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
}
