//! What a document may touch of the machine.
//!
//! A document may be a stranger's. Without being allowed more, it mounts what lies in its own directory, reads the system
//! that every command may see, and saves outputs in its own directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wake_exec::is_system;
use wake_model::MountAccess as Access;
use wake_store::ware::{AbsPath, WareId, Warehouse};

use crate::run_error::RunError;

/// What whoever runs formulas allows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The network.
    pub network: NetworkGrant,
    /// To mount and to save what lies outside the directories of their documents.
    pub host: bool,
}

impl Grants {
    /// What is allowed where nothing runs and nothing is saved: a look at what each asks for.
    pub const LOOK: Grants = Grants { network: NetworkGrant::WhereAsked, host: true };
}

/// Which formulas get the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkGrant {
    /// None; those that ask for it are refused.
    #[default]
    Never,
    /// Those that ask for it.
    WhereAsked,
    /// Also those whose language has no word for it.
    Always,
}

/// Where a document lies, and who reads it.
#[derive(Clone, Copy, Debug)]
pub struct DocumentPlace<'a> {
    /// Its directory, absolute.
    pub dir: &'a Path,
    /// Where its relative addresses and mounts start, absolute.
    pub base: &'a Path,
    /// The user's home directory: a document that lies there does not thereby own all that the user has.
    pub home: Option<&'a Path>,
}

/// What one document may touch.
#[derive(Clone, Debug)]
pub(crate) struct HostAccess {
    everything: bool,
    /// The document's directory, links followed.
    dir: Option<PathBuf>,
    /// The user's home directory, links followed.
    home: Option<PathBuf>,
}

impl HostAccess {
    pub(crate) fn of(place: &DocumentPlace<'_>, grants: Grants) -> HostAccess {
        let home = place.home.and_then(|home| fs::canonicalize(home).ok());
        HostAccess { everything: grants.host, dir: fs::canonicalize(place.dir).ok(), home }
    }

    /// Where a mount of `host` at `path` leads, links followed.
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

    /// Whether output `path` may be kept in `target`, as `ware` if that is known by now. `workspace` is the directory that a
    /// target lies in which no document has named.
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
            // Nothing can be written to the others.
            _ => return Ok(()),
        };
        // What is not there cannot be written to, which others say.
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

    /// Whether `place` lies in the document's directory, and is no more of the user's home than that is.
    fn owns(&self, place: &Path) -> bool {
        let Some(dir) = &self.dir else { return false };
        let of_home = self.home.as_ref().is_some_and(|home| {
            let in_own_part = dir != home && dir.starts_with(home);
            home.starts_with(place) || place.starts_with(home) && !in_own_part
        });
        place.starts_with(dir) && !of_home
    }
}

/// The warehouse of the warpforge workspace that `dir` lies in: of the next directory upwards whose `.warpforge` has `root`.
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
