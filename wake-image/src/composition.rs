//! What an image is to be that is put together of files. Source: `spec/images.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_model::json as canonical_json;

use crate::digest::ImageDigest;
use crate::platform::Platform;

/// An image in the making: on which other one, of which files, run how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composition {
    /// The manifest of the image that it begins with; none: nothing.
    pub base: Option<ImageDigest>,
    /// Arguments, or the whole command, where nobody gives others; none: those of the base.
    pub cmd: Option<Vec<String>>,
    /// The program, with arguments that always stand before others; none: that of the base.
    pub entrypoint: Option<Vec<String>>,
    /// Variables beside those of the base.
    pub env: BTreeMap<String, String>,
    /// What lies where: one layer each, the lowest first.
    pub layers: Vec<LayerSource>,
    /// What is said of it, beside what the base says.
    pub labels: BTreeMap<String, String>,
    /// For which machines it is.
    pub platform: Platform,
    /// Where the layout is put, as seen from where paths begin.
    pub to: String,
    /// Whom it runs as; none: as the base.
    pub user: Option<String>,
    /// The working directory; none: that of the base.
    pub workdir: Option<String>,
}

/// What a layer is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LayerSource {
    /// Files, each put at its place.
    Files(Vec<PlacedFiles>),
    /// A layer that is there already.
    Packed(PackedLayer),
}

/// A layer as a file among the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedLayer {
    /// A tar archive, not compressed.
    pub tar: String,
}

/// Files in a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedFiles {
    /// A file, a link or a directory among the inputs.
    pub from: String,
    /// The permission bits of a single file; none: 0755 if it may be executed, else 0644.
    pub mode: Option<u16>,
    /// The numbers of user and group.
    pub owner: [u32; 2],
    /// Where it lies in the image, below `/`.
    pub to: String,
}

impl LayerSource {
    /// Whether it is written of files.
    pub(crate) fn is_files(&self) -> bool {
        matches!(self, LayerSource::Files(_))
    }

    /// The files that it is written of.
    pub fn files(&self) -> &[PlacedFiles] {
        match self {
            LayerSource::Files(files) => files,
            LayerSource::Packed(_) => &[],
        }
    }

    /// The paths among the inputs of what it is made of.
    pub fn from(&self) -> impl Iterator<Item = &str> {
        let (files, packed) = match self {
            LayerSource::Files(files) => (&files[..], None),
            LayerSource::Packed(PackedLayer { tar }) => (&[][..], Some(tar.as_str())),
        };
        files.iter().map(|files| files.from.as_str()).chain(packed)
    }
}

impl Composition {
    /// Reads what [`Composition::text`] wrote.
    pub fn parse(text: &str) -> Result<Composition, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// As canonical JSON, which enters the key.
    pub fn text(&self) -> String {
        canonical_json::canonical(&serde_json::to_value(self).unwrap_or_default())
    }
}
