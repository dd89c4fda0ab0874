//! An asset registry: a directory and its configuration.

use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::Catalog;
use crate::config::{self, Config, Edit};
use crate::error::{AssetError, At};
use crate::folders::{Folders, Variables};
use crate::hold::Hold;
use crate::journal::{self, Journal};
use crate::staging;

/// The most bytes in a configuration.
const LONGEST: u64 = 256 << 20;

/// An asset registry in a directory that refgenie reads as well.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The configuration, with links resolved.
    config: PathBuf,
    folders: Folders,
}

/// A locked registry, with its current contents.
pub(crate) struct Change<'r> {
    pub(crate) registry: &'r Registry,
    pub(crate) catalog: Catalog,
    _hold: Hold,
}

impl Registry {
    /// Opens the registry with the configuration `config`. `variables` looks up variables in its paths.
    pub fn open(config: &Path, variables: Variables<'_>) -> Result<Registry, AssetError> {
        let none = || AssetError::NoRegistry { path: config.to_owned() };
        let config = match fs::canonicalize(config) {
            Ok(path) if path.is_file() => path,
            Ok(_) => return Err(none()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
            Err(error) => return Err(error).at(config),
        };
        let read = read(&config)?;
        let folders = Folders::of(&read.contents, &config, variables)?;
        let registry = Registry { config, folders };
        registry.heal()?;
        Ok(registry)
    }

    /// Creates an empty registry with its data in `genome_folder` or next to its configuration.
    pub fn create(
        config: &Path,
        genome_folder: Option<&Path>,
        servers: &[String],
    ) -> Result<Registry, AssetError> {
        let there = || AssetError::RegistryThere { path: config.to_owned() };
        if config.symlink_metadata().is_ok() {
            return Err(there());
        }
        let parent = match config.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).at(parent)?;
        let parent = fs::canonicalize(parent).at(parent)?;
        let config = parent.join(config.file_name().unwrap_or_default());
        let folder = parent.join(genome_folder.unwrap_or(Path::new("")));
        let folder: PathBuf = folder.components().collect();
        for name in ["data", "alias", "recipes", "asset_classes"] {
            let dir = folder.join(name);
            fs::create_dir_all(&dir).at(&dir)?;
        }
        let utf8 = folder.to_str().ok_or_else(|| AssetError::Tree {
            path: folder.clone(),
            problem: "its path is not UTF-8".to_owned(),
        })?;
        let text = config::new_text(utf8, servers);
        let new = tempfile::NamedTempFile::new_in(&parent).at(&parent)?;
        journal::write_synced(new.path(), text.as_bytes())?;
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(new.path(), fs::Permissions::from_mode(0o644)).at(new.path())?;
        // Do not overwrite one that was created meanwhile.
        new.persist_noclobber(&config).map_err(|error| error.error).at(&config)?;
        Registry::open(&config, &|_| None)
    }

    /// Returns the path of its configuration.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Returns the genome folder, which contains all data.
    pub fn genome_folder(&self) -> &Path {
        &self.folders.genomes
    }

    /// Reads its current contents.
    pub fn read(&self) -> Result<Catalog, AssetError> {
        self.heal()?;
        self.catalog()
    }

    fn catalog(&self) -> Result<Catalog, AssetError> {
        Ok(Catalog { config: read(&self.config)?, folders: self.folders.clone() })
    }

    /// Completes the change of a killed process. Without write permission the registry is read as it is.
    fn heal(&self) -> Result<(), AssetError> {
        if !journal::is_pending(&self.folders) {
            return Ok(());
        }
        match Hold::wait(&self.folders, &self.config) {
            Ok(_hold) => journal::finish(&self.folders, &self.config),
            Err(AssetError::Io { source, .. })
                if matches!(
                    source.kind(),
                    std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Locks the registry, completes an interrupted change and removes leftovers.
    pub(crate) fn change(&self) -> Result<Change<'_>, AssetError> {
        let hold = Hold::wait(&self.folders, &self.config)?;
        journal::finish(&self.folders, &self.config)?;
        staging::clear_up(&self.folders)?;
        Ok(Change { registry: self, catalog: self.catalog()?, _hold: hold })
    }
}

impl Change<'_> {
    /// Edits the configuration and makes the renames of `journal`, atomically.
    pub(crate) fn commit(
        self,
        mut journal: Journal,
        edit: impl FnOnce(&mut Edit),
    ) -> Result<(), AssetError> {
        let text = self.catalog.config.changed(edit);
        journal.config();
        journal.commit(&self.registry.folders, &self.registry.config, &text)
    }

    /// The same for a removal: the configuration changes first.
    pub(crate) fn commit_first(
        self,
        moves: Vec<(PathBuf, PathBuf)>,
        edit: impl FnOnce(&mut Edit),
    ) -> Result<(), AssetError> {
        let text = self.catalog.config.changed(edit);
        let mut journal = Journal::new();
        journal.config();
        for (from, to) in moves {
            journal.moves(from, to);
        }
        journal.commit(&self.registry.folders, &self.registry.config, &text)
    }
}

fn read(config: &Path) -> Result<Config, AssetError> {
    let length = fs::metadata(config).at(config)?.len();
    if length > LONGEST {
        return Err(AssetError::Place {
            place: config.display().to_string(),
            problem: format!("it has {length} bytes, more than {} MiB", LONGEST >> 20),
            hint: None,
        });
    }
    Config::parse(config, &fs::read(config).at(config)?)
}
