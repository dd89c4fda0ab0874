//! The contents of a configuration.

use crate::name::{AssetName, ClassName, GenomeDigest, GenomeName, SeekKey, Tag};
use crate::registry_path::AssetId;
use crate::seek::SeekType;

/// The contents of a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) genome_folder: Option<String>,
    pub(crate) recipe_folder: Option<String>,
    pub(crate) class_folder: Option<String>,
    pub(crate) servers: Vec<String>,
    pub(crate) genomes: Vec<GenomeEntry>,
    pub(crate) recipes: Vec<DocumentEntry>,
    pub(crate) classes: Vec<DocumentEntry>,
}

/// A genome of a registry.
#[derive(Clone, Debug)]
pub struct GenomeEntry {
    /// Its digest.
    pub digest: GenomeDigest,
    /// Its aliases.
    pub aliases: Vec<GenomeName>,
    /// Its description.
    pub description: Option<String>,
    /// Its assets.
    pub assets: Vec<AssetEntry>,
}

/// An asset of a genome, under one or more tags.
#[derive(Clone, Debug)]
pub struct AssetEntry {
    /// Its name.
    pub name: AssetName,
    /// Its description.
    pub description: Option<String>,
    /// Its class; none in registries of an older version.
    pub class: Option<ClassName>,
    /// The tag used if none is named.
    pub default_tag: Option<Tag>,
    /// Its tags.
    pub tags: Vec<TagEntry>,
}

/// One tag of an asset: one build of it.
#[derive(Clone, Debug)]
pub struct TagEntry {
    /// Its tag.
    pub tag: Tag,
    /// A description of this tag.
    pub description: Option<String>,
    /// Its path, as refgenie writes it: usually the asset name.
    pub path: Option<String>,
    /// refgenie's digest of it.
    pub digest: Option<String>,
    /// The digest of its tree, if wake registered it.
    pub tree: Option<String>,
    /// Its size in human-readable form.
    pub size: Option<String>,
    /// When it was built, in UTC: `2026-11-20_23:28`.
    pub date_built: Option<String>,
    /// The custom properties recorded by its build.
    pub custom_properties: Vec<(String, String)>,
    /// Its seek keys: paths below its directory, and values.
    pub seek_keys: Vec<(SeekKey, String)>,
    /// The types of the seek keys, if wake registered it.
    pub seek_types: Vec<(SeekKey, SeekType)>,
    /// The assets it was built from.
    pub parents: Vec<Relative>,
    /// The assets built from it.
    pub children: Vec<Relative>,
}

/// A parent or child of an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// The text as written.
    pub text: String,
    /// The asset's id, if the text is one.
    pub id: Option<AssetId>,
}

/// A recipe or an asset class in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentEntry {
    /// Its name.
    pub name: String,
    /// Its file, relative to the folder for such documents.
    pub path: Option<String>,
    /// Its origin.
    pub source: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// For a recipe: its output asset class.
    pub output_class: Option<ClassName>,
}

impl Relative {
    /// Parses the text of a relative.
    pub(crate) fn read(text: String) -> Relative {
        Relative { id: text.parse().ok(), text }
    }
}

impl GenomeEntry {
    /// Returns the asset of this name.
    pub fn asset(&self, name: &AssetName) -> Option<&AssetEntry> {
        self.assets.iter().find(|asset| asset.name == *name)
    }

    /// Returns its display name: its first alias, else its digest.
    pub fn title(&self) -> &str {
        self.aliases.first().map_or(self.digest.as_str(), GenomeName::as_str)
    }
}

impl AssetEntry {
    /// Returns the entry for this tag.
    pub fn tag(&self, tag: &Tag) -> Option<&TagEntry> {
        self.tags.iter().find(|entry| entry.tag == *tag)
    }

    /// Returns the tag used if none is named: as in refgenie, the first tag if there is no default.
    pub fn default_tag(&self) -> Option<&Tag> {
        self.default_tag.as_ref().or_else(|| self.tags.first().map(|entry| &entry.tag))
    }
}

impl TagEntry {
    /// An entry of which only the tag is known.
    pub(crate) fn of_name(tag: Tag) -> TagEntry {
        TagEntry {
            tag,
            description: None,
            path: None,
            digest: None,
            tree: None,
            size: None,
            date_built: None,
            custom_properties: Vec::new(),
            seek_keys: Vec::new(),
            seek_types: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Returns the value of a seek key, as text.
    pub fn seek_value(&self, key: &str) -> Option<&str> {
        let (_, value) = self.seek_keys.iter().find(|(name, _)| name.as_str() == key)?;
        Some(value)
    }

    /// Returns the type of a seek key, if recorded here.
    pub fn seek_type(&self, key: &str) -> Option<SeekType> {
        let (_, kind) = self.seek_types.iter().find(|(name, _)| name.as_str() == key)?;
        Some(*kind)
    }
}

impl Contents {
    /// Returns the genome of this digest or alias.
    pub(crate) fn genome(&self, name: &str) -> Option<&GenomeEntry> {
        let by_alias =
            |genome: &&GenomeEntry| genome.aliases.iter().any(|alias| alias.as_str() == name);
        let by_digest = self.genomes.iter().find(|genome| genome.digest.as_str() == name);
        by_digest.or_else(|| self.genomes.iter().find(by_alias))
    }
}
