//! A directory that is put together to be packed.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use wake_model::{BlobDigest, RelPath};

use super::FromJobError;

const OPEN: u32 = 0o777;
const CLOSED: u32 = 0o755;
const SEALED: u32 = 0o555;

/// What the directories of a tree allow.
#[derive(Clone, Copy)]
pub(crate) enum Directories {
    /// Everybody may write to them, for in some sandboxes they belong to others; but nobody to this one and those below
    /// it, if it is there.
    OpenBut(&'static str),
    /// Their owner alone may.
    Closed,
}

/// A directory in the making.
pub(crate) struct Staging {
    root: PathBuf,
}

impl Staging {
    /// An empty one at `root`, which must not exist.
    pub(crate) fn new(root: PathBuf) -> Result<Self, FromJobError> {
        fs::create_dir(&root).map_err(FromJobError::at(&root))?;
        Ok(Staging { root })
    }

    /// A copy of a file, if it holds what its digest says.
    pub(crate) fn copy(
        &mut self,
        at: &RelPath,
        host: &Path,
        blob: &BlobDigest,
        executable: bool,
    ) -> Result<(), FromJobError> {
        let place = self.place(at)?;
        fs::copy(host, &place).map_err(FromJobError::at(host))?;
        // The copy is what is packed, so it is what has to be right.
        let mut hasher = blake3::Hasher::new();
        let hashed = File::open(&place).and_then(|copy| hasher.update_reader(copy).map(drop));
        hashed.map_err(FromJobError::at(&place))?;
        if BlobDigest(hasher.finalize().into()) != *blob {
            return Err(FromJobError::Changed(host.to_owned()));
        }
        set_mode(&place, mode(executable))
    }

    /// A file with these bytes.
    pub(crate) fn file(
        &mut self,
        at: &RelPath,
        bytes: &[u8],
        executable: bool,
    ) -> Result<(), FromJobError> {
        let place = self.place(at)?;
        fs::write(&place, bytes).map_err(FromJobError::at(&place))?;
        set_mode(&place, mode(executable))
    }

    /// A link with this text.
    pub(crate) fn link(&mut self, at: &RelPath, target: &str) -> Result<(), FromJobError> {
        let place = self.place(at)?;
        symlink(target, &place).map_err(FromJobError::at(&place))
    }

    /// A directory.
    pub(crate) fn dir(&mut self, at: &RelPath) -> Result<(), FromJobError> {
        let place = self.root.join(at.as_str());
        fs::create_dir_all(&place).map_err(FromJobError::at(&place))
    }

    /// Gives every directory its mode; where the tree lies.
    pub(crate) fn finish(self, directories: Directories) -> Result<PathBuf, FromJobError> {
        match directories {
            Directories::Closed => set_modes(&self.root, CLOSED)?,
            Directories::OpenBut(closed) => {
                set_modes(&self.root, OPEN)?;
                let closed = self.root.join(closed);
                if closed.is_dir() {
                    set_modes(&closed, SEALED)?;
                }
            }
        }
        Ok(self.root)
    }

    fn place(&self, at: &RelPath) -> Result<PathBuf, FromJobError> {
        if let Some(parent) = at.parent() {
            let parent = self.root.join(parent.as_str());
            fs::create_dir_all(&parent).map_err(FromJobError::at(&parent))?;
        }
        Ok(self.root.join(at.as_str()))
    }
}

fn set_modes(dir: &Path, mode: u32) -> Result<(), FromJobError> {
    for entry in fs::read_dir(dir).map_err(FromJobError::at(dir))? {
        let entry = entry.map_err(FromJobError::at(dir))?;
        if entry.file_type().map_err(FromJobError::at(dir))?.is_dir() {
            set_modes(&entry.path(), mode)?;
        }
    }
    set_mode(dir, mode)
}

/// As a module's command finds its own files.
fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Sets the mode of a file or directory.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FromJobError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(FromJobError::at(path))
}
