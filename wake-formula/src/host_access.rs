//! Access of a document to the machine.
//!
//! A document may be a stranger's. By default it can mount what is in its own directory, read the system directories
//! that every command can see, and save outputs in its own directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wake_exec::is_system;
use wake_model::MountAccess as Access;
use wake_store::ware::{AbsPath, WareId, Warehouse};

use crate::run_error::RunError;

/// What the user allows formulas to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Access to the network.
    pub network: NetworkGrant,
    /// Whether they may mount and save outside the directories of their documents.
    pub host: bool,
}

impl Grants {
    /// Grants for inspection, where nothing runs and nothing is saved.
    pub const LOOK: Grants = Grants { network: NetworkGrant::WhereAsked, host: true };
}

/// Which formulas get the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkGrant {
    /// None; a formula that asks for it is rejected.
    #[default]
    Never,
    /// Formulas that ask for it.
    WhereAsked,
    /// Also formulas whose language cannot ask for it.
    Always,
}

/// The place of a document, and its reader.
#[derive(Clone, Copy, Debug)]
pub struct DocumentPlace<'a> {
    /// Its directory, absolute.
    pub dir: &'a Path,
    /// Where its relative addresses and mounts start, absolute.
    pub base: &'a Path,
    /// The user's home directory: a document in it does not thereby own all of it.
    pub home: Option<&'a Path>,
}

/// What one document may access.
#[derive(Clone, Debug)]
pub(crate) struct HostAccess {
    everything: bool,
    /// The document's directory, with links resolved.
    dir: Option<PathBuf>,
    /// The user's home directory, with links resolved.
    home: Option<PathBuf>,
}

impl HostAccess {
    pub(crate) fn of(place: &DocumentPlace<'_>, grants: Grants) -> HostAccess {
        let home = place.home.and_then(|home| fs::canonicalize(home).ok());
        HostAccess { everything: grants.host, dir: fs::canonicalize(place.dir).ok(), home }
    }

    /// Returns the target of a mount of `host` at `path`, with links resolved.
    pub(crate) fn mount(
        &self,
        path: &AbsPath,
        host: &Path,
        access: Access,
    ) -> Result<PathBuf, RunError> {
        let place = fs::canonicalize(host).map_err(|error| {
            let host = host.display();
            let message =
                format!("input `{path}` is a mount of `{host}`, which cannot be used: {error}");
            RunError::Assembly(message)
        })?;
        let reads_system = access == Access::ReadOnly && is_system(&place);
        if self.everything || reads_system || self.owns(&place) {
            return Ok(place);
        }
        let how = if access == Access::ReadWrite { " for writing" } else { "" };
        Err(RunError::Host(format!("input `{path}` mounts `{}`{how}", place.display())))
    }

    /// Checks that output `path` may be kept in `target`, as `ware` if that is known. `workspace` is the directory of a
    /// target that no document has named.
    pub(crate) fn save(
        &self,
        path: &AbsPath,
        target: &Warehouse,
        workspace: Option<&Path>,
        ware: Option<&WareId>,
    ) -> Result<(), RunError> {
        let dir = match target {
            Warehouse::File(file) => file.parent().unwrap_or(Path::new("/")),
            Warehouse::CaFile(dir) => dir,
            // The others cannot be written to.
            _ => return Ok(()),
        };
        // A missing directory cannot be written to, which is reported elsewhere.
        let Ok(dir) = fs::canonicalize(dir) else { return Ok(()) };
        let shelf = ware.and_then(|ware| target.shelf(ware));
        let leads_on = |shelf: PathBuf| shelf.ancestors().skip(1).take(2).any(Path::is_symlink);
        let workspace = workspace.and_then(|workspace| fs::canonicalize(workspace).ok());
        let is_near = match workspace {
            Some(workspace) => dir.starts_with(workspace),
            None => self.owns(&dir),
        };
        if self.everything || is_near && !shelf.is_some_and(leads_on) {
            return Ok(());
        }
        Err(RunError::Host(format!("output `{path}` is saved to `{target}`")))
    }

    /// Returns whether `place` is in the document's directory, and not in the user's home beyond that.
    fn owns(&self, place: &Path) -> bool {
        let Some(dir) = &self.dir else { return false };
        let of_home = self.home.as_ref().is_some_and(|home| {
            let in_own_part = dir != home && dir.starts_with(home);
            home.starts_with(place) || place.starts_with(home) && !in_own_part
        });
        place.starts_with(dir) && !of_home
    }
}

/// Returns the warehouse of the warpforge workspace around `dir`: of the nearest directory upwards whose `.warpforge` has `root`.
/// None if that belongs to another user, or leads elsewhere.
pub(crate) fn workspace_warehouse(dir: &Path) -> Option<PathBuf> {
    let is_mine = |path: &Path| {
        let metadata = path.symlink_metadata().ok()?;
        let mine = metadata.uid() == rustix::process::geteuid().as_raw();
        Some(metadata.is_dir() && mine)
    };
    let workspace = dir.ancestors().map(|dir| dir.join(".warpforge"));
    let workspace = workspace.into_iter().find(|workspace| workspace.join("root").exists())?;
    let warehouse = workspace.join("warehouse");
    let usable = is_mine(&workspace)? && is_mine(&warehouse).unwrap_or(true);
    usable.then_some(warehouse)
}
