//! Which trees are in use: those that the result links of existing checkouts point at.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use wake_model::TreeDigest;

use crate::clock;
use crate::error::{At, StoreError, optional};
use crate::layout::Layout;
use crate::listing::children;
use crate::open::Store;
use crate::publish::{Durability, publish_file};
use crate::removal::remove_file;

/// How long a checkout may be missing (because its disk is not mounted, say) before it is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// What the registered checkouts refer to.
#[derive(Debug, Default)]
pub(crate) struct Roots {
    /// The trees that links point at or into.
    pub(crate) trees: HashSet<TreeDigest>,
    /// Registered directories that do not exist now.
    pub(crate) missing: Vec<PathBuf>,
    /// Registrations that have outlived their checkout.
    pub(crate) stale: Vec<PathBuf>,
}

impl Store {
    /// Registers a checkout's directory of result links, such as `.wake/out`.
    ///
    /// From now on, garbage collection keeps each tree that a link in it, at any depth, points at. Register before
    /// creating links. Costs one small file read if it is registered already, otherwise an fsync.
    pub fn register_root(&self, links: &Path) -> Result<(), StoreError> {
        let links = std::path::absolute(links).at(links)?;
        let bytes = links.as_os_str().as_bytes();
        let name = blake3::hash(bytes).to_hex();
        let place = self.layout().roots.join(&name[..32]);
        if optional(fs::read(&place).at(&place))?.is_some_and(|present| present == bytes) {
            crate::action::note_use(&place, modified(&place)?);
            return Ok(());
        }
        // If a power cut lost this, a collection could delete what a checkout refers to.
        publish_file(&*self.session()?, &place, bytes, Durability::Kept)
    }

    /// Returns the registered directories, whether they exist or not.
    pub fn roots(&self) -> Result<Vec<PathBuf>, StoreError> {
        Ok(registrations(self.layout())?.into_iter().map(|(_, links)| links).collect())
    }
}

impl Roots {
    /// Reads every link below every registered directory.
    pub(crate) fn collect(layout: &Layout) -> Result<Self, StoreError> {
        let mut roots = Roots::default();
        for (registration, links) in registrations(layout)? {
            match fs::symlink_metadata(&links) {
                Ok(_) => roots.follow(layout, links)?,
                Err(_) => roots.miss(registration, links)?,
            }
        }
        Ok(roots)
    }

    /// Forgets registrations that have outlived their checkout.
    pub(crate) fn forget_stale(&self) -> Result<(), StoreError> {
        self.stale.iter().try_for_each(|registration| remove_file(registration))
    }

    fn follow(&mut self, layout: &Layout, links: PathBuf) -> Result<(), StoreError> {
        let mut open = vec![links];
        while let Some(path) = open.pop() {
            let Some(metadata) = optional(fs::symlink_metadata(&path).at(&path))? else { continue };
            if metadata.is_symlink() {
                let Some(target) = optional(fs::read_link(&path).at(&path))? else { continue };
                self.trees.extend(tree_of(layout, &target));
            } else if metadata.is_dir() {
                open.extend(children(&path)?);
            }
        }
        Ok(())
    }

    fn miss(&mut self, registration: PathBuf, links: PathBuf) -> Result<(), StoreError> {
        let age = clock::now().duration_since(modified(&registration)?).unwrap_or_default();
        if age > FORGOTTEN_AFTER {
            self.stale.push(registration);
        }
        self.missing.push(links);
        Ok(())
    }
}

fn modified(path: &Path) -> Result<SystemTime, StoreError> {
    path.metadata().and_then(|metadata| metadata.modified()).at(path)
}

/// Returns each registration file with the directory it names.
fn registrations(layout: &Layout) -> Result<Vec<(PathBuf, PathBuf)>, StoreError> {
    let mut found = Vec::new();
    for registration in children(&layout.roots)? {
        let Some(bytes) = optional(fs::read(&registration).at(&registration))? else { continue };
        found.push((registration, std::ffi::OsString::from_vec(bytes).into()));
    }
    Ok(found)
}

/// Returns the tree that an absolute link points at or into.
fn tree_of(layout: &Layout, target: &Path) -> Option<TreeDigest> {
    let rest = target.strip_prefix(&layout.trees).ok()?;
    let Some(Component::Normal(name)) = rest.components().nth(1) else { return None };
    name.to_str()?.parse().ok()
}
