//! The journal, which makes changes of several files atomic: changes are recorded, then made; the next process completes an interrupted change.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{AssetError, At};
use crate::folders::Folders;
use crate::measure::is_confined;

const FILE: &str = "journal";
const VERSION: u64 = 1;

/// The pending changes, in order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    wake: u64,
    steps: Vec<Step>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    /// A rename; both paths are relative to the genome folder.
    Move { from: PathBuf, to: PathBuf },
    /// The new configuration replaces the old one.
    Config,
}

impl Journal {
    pub(crate) fn new() -> Journal {
        Journal { wake: VERSION, steps: Vec::new() }
    }

    pub(crate) fn moves(&mut self, from: PathBuf, to: PathBuf) {
        self.steps.push(Step::Move { from, to });
    }

    pub(crate) fn config(&mut self) {
        self.steps.push(Step::Config);
    }

    /// Writes the journal and the new configuration, then makes the changes. Before the journal is written nothing has changed;
    /// afterwards everything will.
    pub(crate) fn commit(
        &self,
        folders: &Folders,
        config: &Path,
        text: &str,
    ) -> Result<(), AssetError> {
        let new = new_config(config);
        write_synced(&new, text.as_bytes())?;
        same_owner(config, &new)?;
        let place = folders.own().join(FILE);
        let draft = place.with_extension("new");
        let bytes = serde_json::to_vec(self).map_err(io::Error::from).at(&draft)?;
        write_synced(&draft, &bytes)?;
        fs::rename(&draft, &place).at(&place)?;
        sync_dir(&folders.own())?;
        self.make(folders, config)?;
        fs::remove_file(&place).at(&place)
    }

    fn make(&self, folders: &Folders, config: &Path) -> Result<(), AssetError> {
        for step in &self.steps {
            match step {
                Step::Move { from, to } => {
                    if !is_confined(from) || !is_confined(to) {
                        return Err(AssetError::escapes(
                            &format!("{}", to.display()),
                            "the genome folder",
                        ));
                    }
                    rename(&folders.genomes.join(from), &folders.genomes.join(to))?;
                }
                Step::Config => {
                    rename(&new_config(config), config)?;
                    sync_dir(config.parent().unwrap_or(Path::new("/")))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether there is an interrupted change.
pub(crate) fn is_pending(folders: &Folders) -> bool {
    folders.own().join(FILE).exists()
}

/// Completes an interrupted change. The caller holds the registry lock.
pub(crate) fn finish(folders: &Folders, config: &Path) -> Result<(), AssetError> {
    let place = folders.own().join(FILE);
    let bytes = match fs::read(&place) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at(&place),
    };
    let journal: Journal = serde_json::from_slice(&bytes)
        .ok()
        .filter(|journal: &Journal| journal.wake == VERSION)
        .ok_or_else(|| AssetError::Place {
            place: place.display().to_string(),
            problem: "written by another version of wake, or altered".to_owned(),
            hint: Some(
                "use the version of wake that wrote it, or remove it and check what is registered"
                    .to_owned(),
            ),
        })?;
    journal.make(folders, config)?;
    fs::remove_file(&place).at(&place)
}

/// Renames `from`, unless it is gone because it was renamed already.
fn rename(from: &Path, to: &Path) -> Result<(), AssetError> {
    if fs::symlink_metadata(from).is_err() {
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).at(parent)?;
    }
    fs::rename(from, to).at(to)
}

fn new_config(config: &Path) -> PathBuf {
    let name = config.file_name().unwrap_or_default().to_string_lossy();
    config.with_file_name(format!(".{name}.new"))
}

/// Gives the new file the owner and mode of the old one, as far as permitted: registries are shared between users.
fn same_owner(old: &Path, new: &Path) -> Result<(), AssetError> {
    let Ok(metadata) = fs::metadata(old) else { return Ok(()) };
    use std::os::unix::fs::MetadataExt;
    let _ = std::os::unix::fs::chown(new, None, Some(metadata.gid()));
    let _ = std::os::unix::fs::chown(new, Some(metadata.uid()), None);
    fs::set_permissions(new, metadata.permissions()).at(new)
}

pub(crate) fn write_synced(place: &Path, bytes: &[u8]) -> Result<(), AssetError> {
    let mut file = File::create(place).at(place)?;
    file.write_all(bytes).at(place)?;
    file.sync_all().at(place)
}

fn sync_dir(dir: &Path) -> Result<(), AssetError> {
    File::open(dir).and_then(|dir| dir.sync_all()).at(dir)
}
