//! Whether a store belongs to the user alone: what others own or may write to is their claim.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{At, StoreError, optional};
use crate::layout::Layout;
use crate::listing::children;
use crate::owners::Owners;
use crate::removal::make_dir_all;

/// Read, write and execute permissions of others.
const OTHERS: u32 = 0o077;
/// Write permissions of others.
const OTHERS_WRITE: u32 = 0o022;

/// Why a directory is not trusted.
pub(crate) enum Distrust {
    /// Somebody else owns it.
    OfStranger(PathBuf, u32),
    /// Others may write to it.
    OpenToOthers(PathBuf),
}

/// Creates the directory of a store, which nobody else may enter; an existing one is accepted.
pub(crate) fn make_root(root: &Path) -> Result<(), StoreError> {
    if let Some(parent) = root.parent() {
        make_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(root) {
        // Whatever the umask.
        Ok(()) => close(root),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => make_dir_all(root),
        Err(error) => Err(error).at(root),
    }
}

/// Ensures that nobody else may enter the store, provided that nobody else could write to it before.
pub(crate) fn check(layout: &Layout, owners: &Owners) -> Result<Option<Distrust>, StoreError> {
    let root = &layout.root;
    if owners.vouch_for(root) {
        return Ok(None);
    }
    let metadata = fs::metadata(root).at(root)?;
    let stranger = |path: &Path, owner| {
        owners.stranger(root, owner).map(|owner| Distrust::OfStranger(path.to_owned(), owner))
    };
    if let Some(distrust) = stranger(root, metadata.uid()) {
        return Ok(Some(distrust));
    }
    for dir in layout.dirs() {
        let Some(metadata) = optional(fs::symlink_metadata(dir).at(dir))? else { continue };
        if let Some(distrust) = stranger(dir, metadata.uid()) {
            return Ok(Some(distrust));
        }
    }
    // A store that its owner may not use is left as it is.
    if metadata.mode() & OTHERS == 0 || metadata.mode() & 0o700 != 0o700 {
        return Ok(None);
    }
    if let Some(open) = open_to_others(layout)? {
        return Ok(Some(Distrust::OpenToOthers(open)));
    }
    // Root's, or on a file system without modes.
    Ok(close(root).err().map(|_| Distrust::OpenToOthers(root.clone())))
}

fn close(root: &Path) -> Result<(), StoreError> {
    fs::set_permissions(root, fs::Permissions::from_mode(0o700)).at(root)
}

/// Returns a non-empty directory of a store that others may write to. Checks down to where trees begin, which are
/// read-only.
fn open_to_others(layout: &Layout) -> Result<Option<PathBuf>, StoreError> {
    let is_open = |dir: &Path| {
        let metadata = optional(fs::symlink_metadata(dir).at(dir))?;
        Ok::<_, StoreError>(
            metadata
                .is_some_and(|metadata| metadata.is_dir() && metadata.mode() & OTHERS_WRITE != 0),
        )
    };
    if children(&layout.root)?.is_empty() {
        return Ok(None);
    }
    if is_open(&layout.root)? {
        return Ok(Some(layout.root.clone()));
    }
    for dir in layout.dirs() {
        for dir in std::iter::once(dir.clone()).chain(children(dir)?) {
            if is_open(&dir)? {
                return Ok(Some(dir));
            }
        }
    }
    Ok(None)
}
