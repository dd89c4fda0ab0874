//! Where packed wares are stored: files, directories by hash, and the same over HTTP.

mod address;
mod http;
mod upload;

pub use address::{ParseWarehouseError, Warehouse};
pub(crate) use upload::Upload;

use super::category::Category;
use super::meter::Meter;
use super::route::Route;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use wake_model::ware::WareId;

/// Why a warehouse did not provide or accept a ware.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// It cannot be reached; another one may be tried.
    #[error("warehouse `{address}` is unavailable: {problem}")]
    Unavailable {
        /// The warehouse.
        address: String,
        /// The error.
        problem: String,
    },
    /// It was reached and does not have the ware; another one may be tried.
    #[error("warehouse `{address}` does not have `{ware}`")]
    NotFound {
        /// The warehouse.
        address: String,
        /// The ware.
        ware: WareId,
    },
    /// It failed in a way that does not allow trying others.
    #[error("warehouse `{address}` failed: {problem}")]
    Failed {
        /// The warehouse.
        address: String,
        /// The error.
        problem: String,
    },
    /// It cannot be written to.
    #[error("warehouse `{address}` cannot be written: {problem}")]
    Unwritable {
        /// The warehouse.
        address: String,
        /// The error.
        problem: String,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
    /// All warehouses were tried; none could be reached.
    #[error("no warehouse is available for `{ware}`{}", tried(.attempts))]
    NoneAvailable {
        /// The ware.
        ware: WareId,
        /// The result of each.
        attempts: Vec<WarehouseError>,
    },
    /// All warehouses were tried; some could be reached, but none has the ware.
    #[error("no warehouse has `{ware}`{}", tried(.attempts))]
    NowhereFound {
        /// The ware.
        ware: WareId,
        /// The result of each.
        attempts: Vec<WarehouseError>,
    },
}

impl WarehouseError {
    /// Returns the published error category.
    pub fn category(&self) -> Category {
        match self {
            WarehouseError::Unavailable { .. } | WarehouseError::NoneAvailable { .. } => {
                Category::WarehouseUnavailable
            }
            WarehouseError::NotFound { .. } | WarehouseError::NowhereFound { .. } => {
                Category::WareNotFound
            }
            WarehouseError::Failed { .. } => Category::WarehouseUnavailable,
            WarehouseError::Unwritable { .. } => Category::WarehouseUnwritable,
            WarehouseError::Cancelled => Category::Cancelled,
        }
    }
}

fn tried(attempts: &[WarehouseError]) -> String {
    if attempts.is_empty() {
        return ": none was named".to_owned();
    }
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

/// The packed form of a ware, as provided by a warehouse.
pub(crate) struct PackedWare {
    /// Its bytes, not verified.
    pub(crate) bytes: Box<dyn Read + Send>,
    /// Its size, if the warehouse provides it.
    pub(crate) size: Option<u64>,
    /// The warehouse.
    pub(crate) address: String,
}

/// Opens `ware` in the first of `warehouses` that has it. One that is unavailable or does not have it is skipped; any
/// other failure ends the search.
pub(crate) fn open_first(
    ware: &WareId,
    warehouses: &[Warehouse],
    meter: &Meter,
) -> Result<PackedWare, WarehouseError> {
    let mut attempts = Vec::new();
    for warehouse in warehouses {
        match warehouse.open(ware, meter) {
            Ok(packed) => return Ok(packed),
            Err(error @ (WarehouseError::Unavailable { .. } | WarehouseError::NotFound { .. })) => {
                attempts.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    let reached = attempts.iter().any(|attempt| matches!(attempt, WarehouseError::NotFound { .. }));
    let ware = ware.clone();
    Err(if reached {
        WarehouseError::NowhereFound { ware, attempts }
    } else {
        WarehouseError::NoneAvailable { ware, attempts }
    })
}

impl Warehouse {
    /// Returns whether `ware` is here, as far as a look at the disk can tell; its bytes are not verified.
    pub fn holds(&self, ware: &WareId) -> bool {
        matches!(self, Warehouse::CaFile(dir) if shard(dir, ware.hash()).is_file())
    }

    /// Returns where `ware` is stored here, if this is a directory by hash.
    pub fn shelf(&self, ware: &WareId) -> Option<PathBuf> {
        match self {
            Warehouse::CaFile(dir) => Some(shard(dir, ware.hash())),
            _ => None,
        }
    }

    /// Returns the network settings, if it is on another machine.
    pub(super) fn route(&self) -> Option<&Route> {
        match self {
            Warehouse::File(_) | Warehouse::CaFile(_) => None,
            Warehouse::Http(_, route) | Warehouse::CaHttp(_, route) | Warehouse::Git(_, route) => {
                Some(route)
            }
        }
    }

    /// Checks whether something can be written here now, without writing.
    pub fn check_writable(&self) -> Result<(), WarehouseError> {
        Upload::begin(self).map(drop)
    }

    /// Opens the packed form of `ware`. Its bytes are not verified here.
    pub(crate) fn open(&self, ware: &WareId, meter: &Meter) -> Result<PackedWare, WarehouseError> {
        match self {
            Warehouse::File(path) => self.open_file(path, path.parent(), ware),
            Warehouse::CaFile(base) => self.open_file(&shard(base, ware.hash()), Some(base), ware),
            Warehouse::Http(url, route) => http::get(self, url, route, ware, meter),
            Warehouse::CaHttp(base, route) => {
                let path = shard(Path::new(""), ware.hash());
                let url = format!("{}/{}", base.trim_end_matches('/'), path.display());
                http::get(self, &url, route, ware, meter)
            }
            Warehouse::Git(..) => Err(WarehouseError::Failed {
                address: self.to_string(),
                problem: format!("a git repository cannot hold a `{}` ware", ware.packtype()),
            }),
        }
    }

    fn open_file(
        &self,
        path: &Path,
        base: Option<&Path>,
        ware: &WareId,
    ) -> Result<PackedWare, WarehouseError> {
        let address = self.to_string();
        // A pipe must not block.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let opened = rustix::fs::open(path, flags, Mode::empty());
        match opened.map(File::from).map_err(io::Error::from) {
            Ok(file) => match file.metadata() {
                Ok(meta) if meta.is_file() => {
                    Ok(PackedWare { bytes: Box::new(file), size: Some(meta.len()), address })
                }
                _ => Err(WarehouseError::Failed {
                    address,
                    problem: format!("`{}` is not a regular file", path.display()),
                }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if base.is_some_and(Path::is_dir) || base == Some(Path::new("")) {
                    return Err(WarehouseError::NotFound { address, ware: ware.clone() });
                }
                Err(WarehouseError::Unavailable { address, problem: error.to_string() })
            }
            Err(error) => Err(WarehouseError::Failed { address, problem: error.to_string() }),
        }
    }
}

/// Returns the path of the ware with `hash` in a content-addressed directory: `BASE/aaa/bbb/HASH`.
pub(crate) fn shard(base: &Path, hash: &str) -> PathBuf {
    let padded = format!("{hash:-<7}");
    base.join(&padded[0..3]).join(&padded[3..6]).join(&padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_match_the_published_layout() {
        let path = shard(Path::new("/w"), "6q7G4hWr283F");
        assert_eq!(path, Path::new("/w/6q7/G4h/6q7G4hWr283F"));
        assert_eq!(shard(Path::new("/w"), "ab"), Path::new("/w/ab-/---/ab-----"));
    }
}
