//! What is in a registry, as it was at one time.

use std::fs;
use std::path::{Path, PathBuf};

use crate::class;
use crate::config::{AssetEntry, Config, DocumentEntry, GenomeEntry, TagEntry};
use crate::error::{AssetError, At, Missing};
use crate::folders::{self, Folders};
use crate::genome::Sequence;
use crate::measure::AssetDigest;
use crate::name::{GenomeName, SeekKey};
use crate::registry_path::{AssetId, RegistryPath};
use crate::seek::{SeekType, SeekValue};

/// The key under which every asset has its directory.
pub(crate) const DIR_KEY: &str = "dir";

/// What was in a registry when it was read.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) config: Config,
    pub(crate) folders: Folders,
}

/// One asset that was looked up.
#[derive(Clone, Debug)]
pub struct Found<'c> {
    /// Which one it is.
    pub id: AssetId,
    /// What its genome was called.
    pub called: GenomeName,
    /// Its genome.
    pub genome: &'c GenomeEntry,
    /// The asset.
    pub asset: &'c AssetEntry,
    /// The form of it.
    pub entry: &'c TagEntry,
    catalog: &'c Catalog,
}

impl Catalog {
    /// All genomes, in the order of the registry.
    pub fn genomes(&self) -> &[GenomeEntry] {
        &self.config.contents.genomes
    }

    /// The recipes that it keeps.
    pub fn recipes(&self) -> &[DocumentEntry] {
        &self.config.contents.recipes
    }

    /// The asset classes that it keeps.
    pub fn classes(&self) -> &[DocumentEntry] {
        &self.config.contents.classes
    }

    /// The servers that refgenie asks for assets.
    pub fn servers(&self) -> &[String] {
        &self.config.contents.servers
    }

    /// The genome that is called so, by an alias or its digest.
    pub fn genome(&self, name: &GenomeName) -> Result<&GenomeEntry, AssetError> {
        self.config.contents.genome(name.as_str()).ok_or_else(|| {
            let aliases = self.genomes().iter().flat_map(|genome| &genome.aliases);
            let known = aliases.map(GenomeName::as_str);
            let else_do = "`wake genome init FASTA --alias NAME` adds a genome, `wake asset list` shows those that are there";
            AssetError::Missing(Missing::new(format!("there is no genome `{name}` here"), name.as_str(), known, else_do))
        })
    }

    /// The asset of a registry path.
    pub fn find(&self, path: &RegistryPath) -> Result<Found<'_>, AssetError> {
        let no_genome = || AssetError::NoGenome { path: path.to_string() };
        let called = path.genome.clone().ok_or_else(no_genome)?;
        let genome = self.genome(&called)?;
        let asset = genome.asset(&path.asset).ok_or_else(|| {
            let what = format!("genome `{called}` has no asset `{}`", path.asset);
            let known = genome.assets.iter().map(|asset| asset.name.as_str());
            let else_do = match genome.assets.is_empty() {
                true => {
                    "it has none yet: `wake recipe build`, `wake asset add` and `wake asset pull` add some".to_owned()
                }
                false => {
                    let names: Vec<&str> =
                        genome.assets.iter().map(|asset| asset.name.as_str()).collect();
                    format!("it has `{}`", names.join("`, `"))
                }
            };
            AssetError::Missing(Missing::new(what, path.asset.as_str(), known, else_do))
        })?;
        let tag = match &path.tag {
            Some(tag) => tag.clone(),
            None => asset.default_tag().cloned().unwrap_or_default(),
        };
        let entry = asset.tag(&tag).ok_or_else(|| {
            let what = format!("asset `{called}/{}` has no tag `{tag}`", path.asset);
            let tags: Vec<&str> = asset.tags.iter().map(|entry| entry.tag.as_str()).collect();
            let else_do = match tags.is_empty() {
                true => String::new(),
                false => format!("it has `{}`", tags.join("`, `")),
            };
            AssetError::Missing(Missing::new(what, tag.as_str(), tags, else_do))
        })?;
        let id = AssetId { genome: genome.digest.clone(), asset: path.asset.clone(), tag };
        Ok(Found { id, called, genome, asset, entry, catalog: self })
    }

    /// The asset of this name; none if it is not there.
    pub fn get(&self, id: &AssetId) -> Option<Found<'_>> {
        self.find(&id.clone().into()).ok()
    }

    /// The sequences of a genome, as they were written down when it was added.
    pub fn sequences(&self, genome: &GenomeEntry) -> Result<Option<Vec<Sequence>>, AssetError> {
        let place = self.folders.sequences(&genome.digest);
        let bytes = match fs::read(&place) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at(&place),
        };
        let wrong = |problem: String| AssetError::Fasta { path: place.clone(), problem };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| wrong(format!("it is no list of sequences: {error}")))
    }

    /// Where the document of an asset class lies.
    pub fn class_file(&self, name: &str) -> Option<PathBuf> {
        let entry = self.classes().iter().find(|entry| entry.name == name)?;
        document(&self.folders.classes, entry, "asset_class")
    }

    /// An asset class and those that it inherits from, as far as their documents are kept.
    pub(crate) fn lineage(&self, class: &str) -> Vec<String> {
        class::lineage(&|name| self.class_file(name), class)
    }

    /// Where the document of a recipe lies.
    pub fn recipe_file(&self, name: &str) -> Option<PathBuf> {
        let entry = self.recipes().iter().find(|entry| entry.name == name)?;
        document(&self.folders.recipes, entry, "asset_recipe")
    }

    /// The folder of the genomes, in which all data lie.
    pub fn genome_folder(&self) -> &Path {
        &self.folders.genomes
    }

    /// Where the data of an asset lie, or would.
    pub fn data_dir(&self, id: &AssetId) -> PathBuf {
        self.folders.data(id)
    }
}

fn document(folder: &Path, entry: &DocumentEntry, what: &str) -> Option<PathBuf> {
    let named = || format!("{}_{what}.yaml", entry.name);
    let path = entry.path.clone().unwrap_or_else(named);
    folders::below(folder, &path, "its folder").ok()
}

impl<'c> Found<'c> {
    /// Where its data lie, by the digest of the genome.
    pub fn data_dir(&self) -> PathBuf {
        self.catalog.folders.data(&self.id)
    }

    /// Where people find it: by what they called its genome, or the first of its aliases, if it has one.
    pub fn alias_dir(&self) -> Option<PathBuf> {
        let alias = self.alias()?;
        Some(self.catalog.folders.alias(alias, &self.id.asset, &self.id.tag))
    }

    fn alias(&self) -> Option<&GenomeName> {
        let aliases = &self.genome.aliases;
        aliases.iter().find(|alias| **alias == self.called).or_else(|| aliases.first())
    }

    /// How it is called in messages.
    pub fn title(&self) -> String {
        format!("{}/{}:{}", self.called, self.id.asset, self.id.tag)
    }

    /// By which refgenie tells it; measured where that is not written down.
    pub fn digest(&self) -> Result<AssetDigest, AssetError> {
        let written = self.entry.digest.as_deref().and_then(|text| text.parse().ok());
        match written {
            Some(digest) => Ok(digest),
            None => Ok(crate::measure::measure(&self.data_dir(), &Default::default())?.digest),
        }
    }

    /// What a seek key finds, as far as that is known: here, in the asset's class, or by what lies there.
    pub fn seek_type(&self, key: &str) -> Option<SeekType> {
        if key == DIR_KEY {
            return Some(SeekType::Directory);
        }
        self.entry.seek_type(key).or_else(|| {
            let class = self.asset.class.as_ref()?;
            class::seek_type(&|name| self.catalog.class_file(name), class.as_str(), key)
        })
    }

    /// What a seek key comes to. Without a key it is what the asset is by itself: what the key of its own name finds, or its directory.
    ///
    /// Paths are those by an alias of the genome where it has one. Nothing is looked for there.
    pub fn seek(&self, key: Option<&SeekKey>) -> Result<SeekValue, AssetError> {
        self.seek_in(key, &self.alias_dir().unwrap_or_else(|| self.data_dir()), self.alias())
    }

    /// The same among the data, by the digest of the genome.
    pub fn seek_data(&self, key: Option<&SeekKey>) -> Result<SeekValue, AssetError> {
        self.seek_in(key, &self.data_dir(), None)
    }

    fn seek_in(
        &self,
        key: Option<&SeekKey>,
        dir: &Path,
        alias: Option<&GenomeName>,
    ) -> Result<SeekValue, AssetError> {
        let own = self.id.asset.as_str();
        let key = match key {
            Some(key) => key.as_str(),
            None if self.entry.seek_value(own).is_some() => own,
            None => return Ok(SeekValue::Path(dir.to_owned())),
        };
        let value = match self.entry.seek_value(key) {
            Some(value) => value,
            None if key == DIR_KEY => ".",
            None => return Err(self.no_key(key)),
        };
        match self.seek_type(key) {
            Some(kind) if !kind.is_path() => {
                let wrong = |error: crate::seek::SeekValueError| {
                    self.seek_error(key, Some(kind), error.to_string())
                };
                Ok(SeekValue::Value(kind.value_of(value).map_err(wrong)?))
            }
            kind => self.path(key, kind, value, dir, alias),
        }
    }

    fn path(
        &self,
        key: &str,
        kind: Option<SeekType>,
        value: &str,
        dir: &Path,
        alias: Option<&GenomeName>,
    ) -> Result<SeekValue, AssetError> {
        let value = match alias {
            Some(alias) => value.replace(self.id.genome.as_str(), alias.as_str()),
            None => value.to_owned(),
        };
        if matches!(&*value, "." | "") {
            return Ok(SeekValue::Path(dir.to_owned()));
        }
        let of = format!("`{}`", self.title());
        folders::below(dir, &value, &of).map(SeekValue::Path).map_err(|error| match error {
            AssetError::Escapes { .. } => self.seek_error(key, kind, error.to_string()),
            error => error,
        })
    }

    fn no_key(&self, key: &str) -> AssetError {
        let keys: Vec<&str> = self.entry.seek_keys.iter().map(|(key, _)| key.as_str()).collect();
        let what = format!("`{}` has no seek key `{key}`", self.title());
        let else_do = match keys.is_empty() {
            true => format!("it has `{DIR_KEY}`"),
            false => format!("it has `{}`", keys.join("`, `")),
        };
        AssetError::Missing(Missing::new(what, key, keys, else_do))
    }

    pub(crate) fn seek_error(
        &self,
        key: &str,
        kind: Option<SeekType>,
        problem: String,
    ) -> AssetError {
        AssetError::Seek { asset: self.title(), key: key.to_owned(), kind, problem }
    }

    /// The same as [`Found::seek`], of something that is there.
    pub fn seek_there(&self, key: Option<&SeekKey>) -> Result<SeekValue, AssetError> {
        let value = self.seek(key)?;
        if let SeekValue::Path(path) = &value {
            let name = key.map_or(self.id.asset.as_str(), SeekKey::as_str);
            let kind = self.seek_type(name);
            if let Some(problem) = absent(path, kind, &path.display().to_string()) {
                return Err(self.seek_error(name, kind, problem));
            }
        }
        Ok(value)
    }
}

/// What is wrong where something of this kind is to be; `shown` is what people call the place.
pub(crate) fn absent(path: &Path, kind: Option<SeekType>, shown: &str) -> Option<String> {
    match kind {
        Some(SeekType::Prefix) if !path.is_dir() => {
            let prefix = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let dir = path.parent().unwrap_or(path);
            let begins =
                |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix);
            let is_there = fs::read_dir(dir)
                .is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| begins(&entry)));
            (!is_there).then(|| format!("there is no file whose path begins with `{shown}`"))
        }
        Some(SeekType::Directory) if !path.is_dir() => {
            Some(format!("there is no directory `{shown}`"))
        }
        Some(SeekType::File) if !path.is_file() => Some(format!("there is no file `{shown}`")),
        _ if !path.exists() => Some(format!("there is no `{shown}`")),
        _ => None,
    }
}
