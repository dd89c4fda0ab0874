//! What is known of a configuration.

use crate::name::{AssetName, ClassName, GenomeDigest, GenomeName, SeekKey, Tag};
use crate::registry_path::AssetId;
use crate::seek::SeekType;

/// A configuration.
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
    /// What else it is called.
    pub aliases: Vec<GenomeName>,
    /// What it is.
    pub description: Option<String>,
    /// Its assets.
    pub assets: Vec<AssetEntry>,
}

/// An asset of a genome, in one or more forms.
#[derive(Clone, Debug)]
pub struct AssetEntry {
    /// Its name.
    pub name: AssetName,
    /// What it is.
    pub description: Option<String>,
    /// Its class; none in registries of an older form.
    pub class: Option<ClassName>,
    /// The tag that is meant where none is named.
    pub default_tag: Option<Tag>,
    /// The forms of it, by their tags.
    pub tags: Vec<TagEntry>,
}

/// One form of an asset.
#[derive(Clone, Debug)]
pub struct TagEntry {
    /// Its tag.
    pub tag: Tag,
    /// What tells it from the others.
    pub description: Option<String>,
    /// Where it lies, as refgenie writes it: mostly the name of the asset.
    pub path: Option<String>,
    /// By which refgenie tells it.
    pub digest: Option<String>,
    /// The digest of its tree, where wake registered it.
    pub tree: Option<String>,
    /// How large it is, for people.
    pub size: Option<String>,
    /// When it was built: `2026-11-20_23:28`, of UTC.
    pub date_built: Option<String>,
    /// What was found out while it was built.
    pub custom_properties: Vec<(String, String)>,
    /// What is found by which key: paths below its directory, and values.
    pub seek_keys: Vec<(SeekKey, String)>,
    /// What those are, where wake registered it.
    pub seek_types: Vec<(SeekKey, SeekType)>,
    /// What it was made of.
    pub parents: Vec<Relative>,
    /// What was made of it.
    pub children: Vec<Relative>,
}

/// An asset that another one was made of, or that was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// As it is written.
    pub text: String,
    /// Which one that is, if it is one.
    pub id: Option<AssetId>,
}

/// A recipe or an asset class that a registry keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentEntry {
    /// Its name.
    pub name: String,
    /// The file, in the folder for such documents.
    pub path: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Of a recipe: the class of what it makes.
    pub output_class: Option<ClassName>,
}

impl Relative {
    /// The one that a text names.
    pub(crate) fn read(text: String) -> Relative {
        Relative { id: text.parse().ok(), text }
    }
}

impl GenomeEntry {
    /// The asset of this name.
    pub fn asset(&self, name: &AssetName) -> Option<&AssetEntry> {
        self.assets.iter().find(|asset| asset.name == *name)
    }

    /// What people call it: an alias where it has one.
    pub fn title(&self) -> &str {
        self.aliases.first().map_or(self.digest.as_str(), GenomeName::as_str)
    }
}

impl AssetEntry {
    /// The form with this tag.
    pub fn tag(&self, tag: &Tag) -> Option<&TagEntry> {
        self.tags.iter().find(|entry| entry.tag == *tag)
    }

    /// The tag that is meant where none is named: as refgenie has it, the first one if none is the default.
    pub fn default_tag(&self) -> Option<&Tag> {
        self.default_tag.as_ref().or_else(|| self.tags.first().map(|entry| &entry.tag))
    }
}

impl TagEntry {
    /// A form of which no more is known than its tag.
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

    /// The value of a seek key, as a text.
    pub fn seek_value(&self, key: &str) -> Option<&str> {
        let (_, value) = self.seek_keys.iter().find(|(name, _)| name.as_str() == key)?;
        Some(value)
    }

    /// What a seek key finds, where that is written here.
    pub fn seek_type(&self, key: &str) -> Option<SeekType> {
        let (_, kind) = self.seek_types.iter().find(|(name, _)| name.as_str() == key)?;
        Some(*kind)
    }
}

impl Contents {
    /// The genome that is called so, by its digest or an alias.
    pub(crate) fn genome(&self, name: &str) -> Option<&GenomeEntry> {
        let by_alias =
            |genome: &&GenomeEntry| genome.aliases.iter().any(|alias| alias.as_str() == name);
        let by_digest = self.genomes.iter().find(|genome| genome.digest.as_str() == name);
        by_digest.or_else(|| self.genomes.iter().find(by_alias))
    }
}
