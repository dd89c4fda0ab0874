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
    /// The archive contains a well-formed, but different ware.
    #[error("hash mismatch: expected `{asked}`, got `{came}`")]
    HashMismatch {
        /// The requested ware.
        asked: WareId,
        /// The received ware.
        came: WareId,
    },
    /// The id states that nothing was packed.
    #[error("`{ware}` stands for a path that did not exist: there is nothing to unpack")]
    Nothing {
        /// The id.
        ware: WareId,
    },
    /// This pack type does not support the operation.
    #[error("pack type `{packtype}` cannot be {verb}")]
    Unsupported {
        /// The pack type.
        packtype: PackType,
        /// `scanned` or `mirrored`.
        verb: &'static str,
    },
    /// A ware must stay in a cache, but no cache was given.
    #[error("there is no ware cache to unpack into")]
    NoCache,
    /// The archive was refused.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// No warehouse provided it, or one refused it.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// The ware cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Git did not provide the commit.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The destination cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Destination {
        /// The destination.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl UnpackError {
    /// Returns the published error category.
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
