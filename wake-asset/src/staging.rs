//! Where something is made before it is put into place: in the file system of the registry, and gone with whoever made it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{AssetError, At};
use crate::folders::{Folders, OWN};

const DIR: &str = "staging";

/// A directory for what is being made.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    name: String,
    /// Held as long as this lives, so that others can tell it from what a killed process left.
    _held: File,
}

impl Staging {
    pub(crate) fn new(folders: &Folders) -> Result<Staging, AssetError> {
        let all = folders.own().join(DIR);
        fs::create_dir_all(&all).at(&all)?;
        loop {
            let dir =
                tempfile::Builder::new().prefix("s").rand_bytes(12).tempdir_in(&all).at(&all)?;
            let held = match File::open(dir.path()) {
                Ok(held) => held,
                // Somebody who clears up has taken it for one that was left.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).at(dir.path()),
            };
            flock(&held, FlockOperation::LockExclusive).at(dir.path())?;
            // Between the two, it may have been taken for one as well.
            if dir.path().is_dir() {
                let path = dir.keep();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Ok(Staging { path, name, _held: held });
            }
        }
    }

    /// A place in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The same, from the folder of genomes.
    pub(crate) fn relative(&self, name: &str) -> PathBuf {
        [OWN, DIR, &self.name, name].iter().collect()
    }

    /// Has all that is in it be on disk.
    pub(crate) fn sync(&self) -> Result<(), AssetError> {
        rustix::fs::syncfs(&self._held).at(&self.path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is cleared up by whoever changes the registry next.
        let _ = remove(&self.path);
    }
}

/// Removes what killed processes left. Only whoever may change the registry does that.
pub(crate) fn clear_up(folders: &Folders) -> Result<(), AssetError> {
    let all = folders.own().join(DIR);
    let entries = match fs::read_dir(&all) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at(&all),
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let is_left = File::open(&path)
            .is_ok_and(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok());
        if is_left {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes a file, a link or a directory with all it holds, read-only ones included; no link is followed.
pub(crate) fn remove(path: &Path) -> Result<(), AssetError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at(path),
    };
    if !kind.is_dir() {
        return fs::remove_file(path).at(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    let mode = fs::symlink_metadata(path).at(path)?.permissions().mode();
    if mode & 0o700 != 0o700 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).at(path)?;
    }
    for entry in fs::read_dir(path).at(path)? {
        remove(&entry.at(path)?.path())?;
    }
    fs::remove_dir(path).at(path)
}

/// Copies a directory with its links, or a file into a new one, sharing blocks where the file system can; what is copied can be written by its owner.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), AssetError> {
    fs::create_dir(to).at(to)?;
    if from.is_file() {
        return copy_file(from, &to.join(from.file_name().unwrap_or_default()));
    }
    copy_entries(from, to)
}

fn copy_entries(from: &Path, to: &Path) -> Result<(), AssetError> {
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().at(&path)?;
        if kind.is_dir() {
            fs::create_dir(&target).at(&target)?;
            copy_entries(&path, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path).at(&path)?, &target).at(&target)?;
        } else if kind.is_file() {
            copy_file(&path, &target)?;
        } else {
            let problem = "it is no file, directory or link".to_owned();
            return Err(AssetError::Tree { path, problem });
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), AssetError> {
    fs::copy(from, to).at(to)?;
    let metadata = fs::metadata(from).at(from)?;
    let mode = (metadata.permissions().mode() & 0o777) | 0o600;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).at(to)?;
    // Tools compare the times of an index and of what it is one of.
    let modified = metadata.modified().at(from)?;
    File::options().write(true).open(to).at(to)?.set_modified(modified).at(to)
}
