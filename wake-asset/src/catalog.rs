//! The contents of a registry at one time.

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

/// The seek key of every asset's directory.
pub(crate) const DIR_KEY: &str = "dir";

/// The contents of a registry when it was read.
#[derive(Debug)]
pub struct Catalog {
    pub(crate) config: Config,
    pub(crate) folders: Folders,
}

/// An asset found by a lookup.
#[derive(Clone, Debug)]
pub struct Found<'c> {
    /// Its id.
    pub id: AssetId,
    /// The name by which its genome was requested.
    pub called: GenomeName,
    /// Its genome.
    pub genome: &'c GenomeEntry,
    /// The asset.
    pub asset: &'c AssetEntry,
    /// The entry of its tag.
    pub entry: &'c TagEntry,
    catalog: &'c Catalog,
}

impl Catalog {
    /// Returns all genomes, in the order of the registry.
    pub fn genomes(&self) -> &[GenomeEntry] {
        &self.config.contents.genomes
    }

    /// Returns its recipes.
    pub fn recipes(&self) -> &[DocumentEntry] {
        &self.config.contents.recipes
    }

    /// Returns its asset classes.
    pub fn classes(&self) -> &[DocumentEntry] {
        &self.config.contents.classes
    }

    /// Returns the servers from which refgenie pulls assets.
    pub fn servers(&self) -> &[String] {
        &self.config.contents.servers
    }

    /// Returns the genome of this alias or digest.
    pub fn genome(&self, name: &GenomeName) -> Result<&GenomeEntry, AssetError> {
        self.config.contents.genome(name.as_str()).ok_or_else(|| {
            let aliases = self.genomes().iter().flat_map(|genome| &genome.aliases);
            let known = aliases.map(GenomeName::as_str);
            let else_do = "add it with `wake genome init FASTA --alias NAME`, or list the genomes with `wake asset list`";
            AssetError::Missing(Missing::new(format!("no genome `{name}` in the registry"), name.as_str(), known, else_do))
        })
    }

    /// Looks up a registry path.
    pub fn find(&self, path: &RegistryPath) -> Result<Found<'_>, AssetError> {
        let no_genome = || AssetError::NoGenome { path: path.to_string() };
        let called = path.genome.clone().ok_or_else(no_genome)?;
        let genome = self.genome(&called)?;
        let asset = genome.asset(&path.asset).ok_or_else(|| {
            let what = format!("genome `{called}` has no asset `{}`", path.asset);
            let known = genome.assets.iter().map(|asset| asset.name.as_str());
            let else_do = match genome.assets.is_empty() {
                true => "add one with `wake recipe build`, `wake asset add` or `wake asset pull`"
                    .to_owned(),
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

    /// Looks up an asset id; none if it is not registered.
    pub fn get(&self, id: &AssetId) -> Option<Found<'_>> {
        self.find(&id.clone().into()).ok()
    }

    /// Returns the sequences of a genome, as recorded when it was added.
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
            .map_err(|error| wrong(format!("not a list of sequences: {error}")))
    }

    /// Returns the path of an asset class's document.
    pub fn class_file(&self, name: &str) -> Option<PathBuf> {
        let entry = self.classes().iter().find(|entry| entry.name == name)?;
        document(&self.folders.classes, entry, "asset_class")
    }

    /// Returns an asset class and its ancestors, as far as the registry has their documents.
    pub(crate) fn lineage(&self, class: &str) -> Vec<String> {
        class::lineage(&|name| self.class_file(name), class)
    }

    /// Returns the path of a recipe's document.
    pub fn recipe_file(&self, name: &str) -> Option<PathBuf> {
        let entry = self.recipes().iter().find(|entry| entry.name == name)?;
        document(&self.folders.recipes, entry, "asset_recipe")
    }

    /// Returns the genome folder, which contains all data.
    pub fn genome_folder(&self) -> &Path {
        &self.folders.genomes
    }

    /// Returns the data directory of an asset, whether or not it exists.
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
    /// Returns its data directory, named by genome digest.
    pub fn data_dir(&self) -> PathBuf {
        self.catalog.folders.data(&self.id)
    }

    /// Returns its alias directory: under the requested alias, else the genome's first alias, if there is one.
    pub fn alias_dir(&self) -> Option<PathBuf> {
        let alias = self.alias()?;
        Some(self.catalog.folders.alias(alias, &self.id.asset, &self.id.tag))
    }

    fn alias(&self) -> Option<&GenomeName> {
        let aliases = &self.genome.aliases;
        aliases.iter().find(|alias| **alias == self.called).or_else(|| aliases.first())
    }

    /// Returns its name for messages.
    pub fn title(&self) -> String {
        format!("{}/{}:{}", self.called, self.id.asset, self.id.tag)
    }

    /// Returns refgenie's digest of it, computed if it is not recorded.
    pub fn digest(&self) -> Result<AssetDigest, AssetError> {
        let written = self.entry.digest.as_deref().and_then(|text| text.parse().ok());
        match written {
            Some(digest) => Ok(digest),
            None => Ok(crate::measure::measure(&self.data_dir(), &Default::default())?.digest),
        }
    }

    /// Returns the type of a seek key, if the asset's entry or its class declares it.
    pub fn seek_type(&self, key: &str) -> Option<SeekType> {
        if key == DIR_KEY {
            return Some(SeekType::Directory);
        }
        self.entry.seek_type(key).or_else(|| {
            let class = self.asset.class.as_ref()?;
            class::seek_type(&|name| self.catalog.class_file(name), class.as_str(), key)
        })
    }

    /// Returns the value of a seek key. Without a key, uses the key of the asset's own name if there is one, else its directory.
    ///
    /// Paths are alias paths if the genome has an alias. Whether they exist is not checked.
    pub fn seek(&self, key: Option<&SeekKey>) -> Result<SeekValue, AssetError> {
        self.seek_in(key, &self.alias_dir().unwrap_or_else(|| self.data_dir()), self.alias())
    }

    /// Like [`Found::seek`], with paths in the data directory.
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

    /// Like [`Found::seek`], but fails if the path does not exist.
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

/// Returns the problem if nothing of this type exists at `path`; `shown` is the path for messages.
pub(crate) fn absent(path: &Path, kind: Option<SeekType>, shown: &str) -> Option<String> {
    match kind {
        Some(SeekType::Prefix) if !path.is_dir() => {
            let prefix = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let dir = path.parent().unwrap_or(path);
            let begins =
                |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&prefix);
            let is_there = fs::read_dir(dir)
                .is_ok_and(|entries| entries.filter_map(Result::ok).any(|entry| begins(&entry)));
            (!is_there).then(|| format!("no file path starts with `{shown}`"))
        }
        Some(SeekType::Directory) if !path.is_dir() => {
            Some(format!("directory `{shown}` does not exist"))
        }
        Some(SeekType::File) if !path.is_file() => Some(format!("file `{shown}` does not exist")),
        _ if !path.exists() => Some(format!("`{shown}` does not exist")),
        _ => None,
    }
}
