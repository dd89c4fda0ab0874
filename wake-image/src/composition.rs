//! The composition of an image from files. Source: `spec/images.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wake_model::json as canonical_json;

use crate::digest::ImageDigest;
use crate::platform::Platform;

/// An image to be composed: its base, its files and its run settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composition {
    /// The manifest of the base image; `None`: no base.
    pub base: Option<ImageDigest>,
    /// Default arguments, or the whole command; `None`: those of the base.
    pub cmd: Option<Vec<String>>,
    /// The program, with arguments that always come first; `None`: that of the base.
    pub entrypoint: Option<Vec<String>>,
    /// Variables in addition to those of the base.
    pub env: BTreeMap<String, String>,
    /// The layers, lowest first.
    pub layers: Vec<LayerSource>,
    /// Labels in addition to those of the base.
    pub labels: BTreeMap<String, String>,
    /// The platform it is for.
    pub platform: Platform,
    /// The directory of the layout.
    pub to: String,
    /// The user it runs as; `None`: that of the base.
    pub user: Option<String>,
    /// The working directory; `None`: that of the base.
    pub workdir: Option<String>,
}

/// The contents of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LayerSource {
    /// Files and their destinations.
    Files(Vec<PlacedFiles>),
    /// An existing layer.
    Packed(PackedLayer),
}

/// A layer as a file among the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackedLayer {
    /// An uncompressed tar archive.
    pub tar: String,
}

/// Files in a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedFiles {
    /// A file, a link or a directory among the inputs.
    pub from: String,
    /// The permission bits of a single file; `None`: 0755 for executables, otherwise 0644.
    pub mode: Option<u16>,
    /// The numeric user and group.
    pub owner: [u32; 2],
    /// The destination in the image, below `/`.
    pub to: String,
}

impl LayerSource {
    /// Whether it is made of files.
    pub(crate) fn is_files(&self) -> bool {
        matches!(self, LayerSource::Files(_))
    }

    /// The files it is made of.
    pub fn files(&self) -> &[PlacedFiles] {
        match self {
            LayerSource::Files(files) => files,
            LayerSource::Packed(_) => &[],
        }
    }

    /// The input paths of its contents.
    pub fn from(&self) -> impl Iterator<Item = &str> {
        let (files, packed) = match self {
            LayerSource::Files(files) => (&files[..], None),
            LayerSource::Packed(PackedLayer { tar }) => (&[][..], Some(tar.as_str())),
        };
        files.iter().map(|files| files.from.as_str()).chain(packed)
    }
}

impl Composition {
    /// Parses the output of [`Composition::text`].
    pub fn parse(text: &str) -> Result<Composition, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Returns it as canonical JSON, which is part of the cache key.
    pub fn text(&self) -> String {
        canonical_json::canonical(&serde_json::to_value(self).unwrap_or_default())
    }
}
