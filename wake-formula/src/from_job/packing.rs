//! Packing inputs into a warehouse.

use std::fs;
use std::path::{Path, PathBuf};

use wake_exec::{BUILDER_GID, BUILDER_UID, SOURCE_DATE_EPOCH};
use wake_store::ware::{Filters, Mtime, Owner, PackFilters, PackType, Special, Warehouse, pack};

use super::FromJobError;
use crate::repeatr::Input;

/// Where packed inputs go.
pub(crate) struct Packing {
    target: Option<Warehouse>,
}

/// The declared owner of a ware's files.
#[derive(Clone, Copy)]
pub(crate) enum WareOwner {
    /// The command's user, for its own copies.
    ByCommand,
    /// User 0.
    ByRoot,
}

impl Packing {
    /// Packs into the directory `warehouse`, creating it; without one, ids are only computed.
    pub(crate) fn open(warehouse: Option<&Path>) -> Result<Self, FromJobError> {
        let target = match warehouse {
            None => None,
            Some(dir) => {
                fs::create_dir_all(dir).map_err(FromJobError::at(dir))?;
                let dir: PathBuf = fs::canonicalize(dir).map_err(FromJobError::at(dir))?;
                Some(Warehouse::CaFile(dir))
            }
        };
        Ok(Packing { target })
    }

    /// Returns the addresses of the wares.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.target.iter().map(ToString::to_string).collect()
    }

    /// Returns the tree at `path` as an input, packing it unless the warehouse has it.
    pub(crate) fn ware(&self, path: &Path, owned: WareOwner) -> Result<Input, FromJobError> {
        // A `tar` id does not cover links, so two inputs that differ only in links would be one ware.
        let packtype = if has_links(path)? { PackType::Tree } else { PackType::Tar };
        let filters = filters(owned);
        let ware = pack(path, packtype, filters, None)?;
        if let Some(target) = self.target.as_ref().filter(|target| !target.holds(&ware)) {
            pack(path, packtype, filters, Some(target))?;
        }
        Ok(Input::Ware(ware))
    }
}

fn filters(owned: WareOwner) -> PackFilters {
    let (uid, gid) = match owned {
        WareOwner::ByCommand => (BUILDER_UID, BUILDER_GID),
        WareOwner::ByRoot => (0, 0),
    };
    Filters {
        uid: Some(Owner::Id(uid)),
        gid: Some(Owner::Id(gid)),
        // The time of all files in a module's sandbox, so that the ids are always the same.
        mtime: Some(Mtime::At(SOURCE_DATE_EPOCH.parse().unwrap_or(0))),
        setid: Some(Special::Reject),
        dev: Some(Special::Reject),
        ..PackFilters::UNSET
    }
}

fn has_links(path: &Path) -> Result<bool, FromJobError> {
    for entry in fs::read_dir(path).map_err(FromJobError::at(path))? {
        let entry = entry.map_err(FromJobError::at(path))?;
        let kind = entry.file_type().map_err(FromJobError::at(path))?;
        if kind.is_symlink() || (kind.is_dir() && has_links(&entry.path())?) {
            return Ok(true);
        }
    }
    Ok(false)
}
