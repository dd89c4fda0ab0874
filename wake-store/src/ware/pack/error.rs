//! Why a tree cannot be packed.

use super::MAX_DEPTH;
use crate::ware::category::Category;
use crate::ware::filters::FilterRejection;
use crate::ware::warehouse::WarehouseError;
use std::io;
use std::path::PathBuf;
use wake_model::ware::PackType;

/// Why a tree cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// This pack type can only be unpacked.
    #[error("pack type `{packtype}` cannot be packed: expected `tar`, `tree` or `zip`")]
    Unsupported {
        /// The pack type.
        packtype: PackType,
    },
    /// A file, link or directory cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file's size changed while it was read.
    #[error("`{}` changed while it was packed", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A socket, which no archive can contain.
    #[error("`{}` is a socket, which no ware can hold", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
    },
    /// A pipe or a device, which no zip archive can contain.
    #[error("`{}` is a pipe or a device, which no zip archive can hold", path.display())]
    Kind {
        /// The node.
        path: PathBuf,
    },
    /// The tree is nested too deeply.
    #[error("`{}` is nested in more than {MAX_DEPTH} directories", path.display())]
    Depth {
        /// The node.
        path: PathBuf,
    },
    /// The filter drops the root itself.
    #[error("`{}` is a device, which the filter drops", path.display())]
    Dropped {
        /// The root.
        path: PathBuf,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
    /// A filter refuses a node.
    #[error(transparent)]
    Filter(#[from] FilterRejection),
    /// The warehouse refused the ware.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
}

impl PackError {
    /// Returns the published error category.
    pub fn category(&self) -> Category {
        match self {
            PackError::Unsupported { .. } => Category::Usage,
            PackError::Read { .. } | PackError::Changed { .. } => Category::InoperablePath,
            PackError::Socket { .. }
            | PackError::Kind { .. }
            | PackError::Depth { .. }
            | PackError::Dropped { .. } => Category::PackInvalid,
            PackError::Filter(_) => Category::FilterRejection,
            PackError::Cancelled => Category::Cancelled,
            PackError::Warehouse(error) => error.category(),
        }
    }
}
