//! Unpacked wares, kept by their ids.

use super::guid::new_guid;
use super::id::WareId;
use super::relocation::rename_new;
use super::warehouse::shard;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A directory of unpacked wares: `ROOT/<packtype>/fileset/aaa/bbb/HASH`.
///
/// A tree appears under its id by one rename, after its data is on disk. Many processes may use one cache.
#[derive(Clone, Debug)]
pub struct WareCache {
    root: PathBuf,
}

impl WareCache {
    /// The cache at `root`, which is created when something is put into it.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where `ware` lies if it is in the cache.
    pub fn place(&self, ware: &WareId) -> PathBuf {
        shard(&self.root.join(ware.packtype().as_str()).join("fileset"), ware.hash())
    }

    /// The unpacked tree of `ware`, if it is in the cache.
    pub fn get(&self, ware: &WareId) -> Option<PathBuf> {
        Some(self.place(ware)).filter(|place| place.symlink_metadata().is_ok())
    }

    /// Makes a directory in the cache's file system to unpack into.
    pub(crate) fn stage(&self) -> Result<Stage, CacheError> {
        Stage::new(&self.root, "unpack")
    }

    /// Moves the tree of `stage` to the place of `ware` and gives that place. If another process was faster, its tree stays.
    pub(crate) fn commit(&self, stage: &Stage, ware: &WareId) -> Result<PathBuf, CacheError> {
        let place = self.place(ware);
        let failed = |source| CacheError { path: place.clone(), source };
        let dir = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(dir).map_err(failed)?;
        let stage_dir = File::open(stage.path()).map_err(failed)?;
        rustix::fs::syncfs(&stage_dir).map_err(|errno| failed(errno.into()))?;
        match rename_new(&stage.root(), &place) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(place)
    }
}

/// The ware cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("ware cache `{}` cannot be used: {source}", path.display())]
pub struct CacheError {
    /// The path in the cache.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A directory under a temporary name that disappears with its owner.
pub(crate) struct Stage {
    path: PathBuf,
}

impl Stage {
    /// Makes `DIR/.tmp.<what>.<guid>`, with `DIR` if needed.
    pub(crate) fn new(dir: &Path, what: &str) -> Result<Self, CacheError> {
        let path = dir.join(format!(".tmp.{what}.{}", new_guid()));
        fs::create_dir_all(dir)
            .and_then(|()| fs::create_dir(&path))
            .map_err(|source| CacheError { path: path.clone(), source })?;
        Ok(Self { path })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the tree's root is written.
    pub(crate) fn root(&self) -> PathBuf {
        self.path.join(super::disk::ROOT)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
    }
}

/// Removes a tree, also one whose directories do not allow it.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            allow_removal(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

fn allow_removal(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            allow_removal(&entry.path())?;
        }
    }
    Ok(())
}
