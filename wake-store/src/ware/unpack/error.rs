//! Why a ware was not unpacked, scanned or mirrored.

use crate::ware::archive::ExtractError;
use crate::ware::cache::CacheError;
use crate::ware::category::Category;
use crate::ware::git::GitError;
use crate::ware::meter::MeterStopped;
use crate::ware::warehouse::WarehouseError;
use std::io;
use std::path::PathBuf;
use wake_model::ware::{PackType, WareId};

/// Why a ware was not unpacked, scanned or mirrored.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive holds a well-formed other ware.
    #[error("hash mismatch: asked for `{asked}`, but `{came}` came")]
    HashMismatch {
        /// The ware that was asked for.
        asked: WareId,
        /// The ware that came.
        came: WareId,
    },
    /// The id says that nothing was packed.
    #[error("`{ware}` stands for a path that did not exist: there is nothing to unpack")]
    Nothing {
        /// The id.
        ware: WareId,
    },
    /// This pack type cannot do that.
    #[error("pack type `{packtype}` cannot be {verb}")]
    Unsupported {
        /// The pack type.
        packtype: PackType,
        /// `scanned` or `mirrored`.
        verb: &'static str,
    },
    /// Something is to stay in a cache, and none was given.
    #[error("there is no ware cache to unpack into")]
    NoCache,
    /// The archive was not taken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// No warehouse gave it, or one did not take it.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The ware cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Git did not give the commit.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The destination cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Destination {
        /// The destination.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl UnpackError {
    /// The published category.
    pub fn category(&self) -> Category {
        match self {
            UnpackError::HashMismatch { .. } => Category::HashMismatch,
            UnpackError::Nothing { .. }
            | UnpackError::Unsupported { .. }
            | UnpackError::NoCache => Category::Usage,
            UnpackError::Extract(error) => error.category(),
            UnpackError::Warehouse(error) => error.category(),
            UnpackError::Cache(error) if MeterStopped::caused(&error.source) => Category::Cancelled,
            UnpackError::Cache(_) => Category::LocalCacheProblem,
            UnpackError::Git(error) => error.category(),
            UnpackError::Destination { .. } => Category::InoperablePath,
        }
    }
}
