//! A directory that is assembled for packing.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use wake_model::{BlobDigest, RelPath};

use super::FromJobError;

const OPEN: u32 = 0o777;
const CLOSED: u32 = 0o755;
const SEALED: u32 = 0o555;

/// The modes of directories in a tree.
#[derive(Clone, Copy)]
pub(crate) enum Directories {
    /// Writable for everybody, because in some sandboxes they belong to others; except this one, if it exists, and those below
    /// it.
    OpenBut(&'static str),
    /// Writable for their owner only.
    Closed,
}

/// A directory being assembled.
pub(crate) struct Staging {
    root: PathBuf,
}

impl Staging {
    /// Creates an empty one at `root`, which must not exist.
    pub(crate) fn new(root: PathBuf) -> Result<Self, FromJobError> {
        fs::create_dir(&root).map_err(FromJobError::at(&root))?;
        Ok(Staging { root })
    }

    /// Copies a file, if its content has the right digest.
    pub(crate) fn copy(
        &mut self,
        at: &RelPath,
        host: &Path,
        blob: &BlobDigest,
        executable: bool,
    ) -> Result<(), FromJobError> {
        let place = self.place(at)?;
        fs::copy(host, &place).map_err(FromJobError::at(host))?;
        // The copy is what is packed, so the copy is what is checked.
        let mut hasher = blake3::Hasher::new();
        let hashed = File::open(&place).and_then(|copy| hasher.update_reader(copy).map(drop));
        hashed.map_err(FromJobError::at(&place))?;
        if BlobDigest(hasher.finalize().into()) != *blob {
            return Err(FromJobError::Changed(host.to_owned()));
        }
        set_mode(&place, mode(executable))
    }

    /// Creates a file with this content.
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

    /// Creates a link with this target.
    pub(crate) fn link(&mut self, at: &RelPath, target: &str) -> Result<(), FromJobError> {
        let place = self.place(at)?;
        symlink(target, &place).map_err(FromJobError::at(&place))
    }

    /// Creates a directory.
    pub(crate) fn dir(&mut self, at: &RelPath) -> Result<(), FromJobError> {
        let place = self.root.join(at.as_str());
        fs::create_dir_all(&place).map_err(FromJobError::at(&place))
    }

    /// Sets the mode of every directory; returns the path of the tree.
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

/// Returns the mode that a module's command sees on its own files.
fn mode(executable: bool) -> u32 {
    if executable { 0o555 } else { 0o444 }
}

/// Sets the mode of a file or directory.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FromJobError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(FromJobError::at(path))
}
