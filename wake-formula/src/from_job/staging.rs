//! A directory that is put together to be packed.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use wake_model::{BlobDigest, RelPath};

use super::FromJobError;

/// Directories are open to everybody: in the sandbox of a formula they do not belong to the command.
const DIR_MODE: u32 = 0o777;

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
        let bytes = fs::read(host).map_err(FromJobError::at(host))?;
        if BlobDigest::of(&bytes) != *blob {
            return Err(FromJobError::Changed { path: host.to_owned() });
        }
        self.file(at, &bytes, executable)
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
        set_mode(&place, if executable { 0o555 } else { 0o444 })
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

    /// Gives every directory its mode.
    pub(crate) fn finish(self) -> Result<(), FromJobError> {
        open_directories(&self.root)
    }

    fn place(&self, at: &RelPath) -> Result<PathBuf, FromJobError> {
        if let Some(parent) = at.parent() {
            let parent = self.root.join(parent.as_str());
            fs::create_dir_all(&parent).map_err(FromJobError::at(&parent))?;
        }
        Ok(self.root.join(at.as_str()))
    }
}

fn open_directories(dir: &Path) -> Result<(), FromJobError> {
    for entry in fs::read_dir(dir).map_err(FromJobError::at(dir))? {
        let entry = entry.map_err(FromJobError::at(dir))?;
        if entry.file_type().map_err(FromJobError::at(dir))?.is_dir() {
            open_directories(&entry.path())?;
        }
    }
    set_mode(dir, DIR_MODE)
}

/// Sets the mode of a file or directory.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FromJobError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(FromJobError::at(path))
}
