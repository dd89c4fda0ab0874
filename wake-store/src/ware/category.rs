//! The error categories that rio and repeatr publish, with their exit codes.

/// What kind of failure a ware operation ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// The arguments cannot mean anything.
    Usage,
    /// No warehouse could be reached.
    WarehouseUnavailable,
    /// The warehouse could not be written.
    WarehouseUnwritable,
    /// Warehouses were reached and none has the ware.
    WareNotFound,
    /// The bytes are not a well-formed ware.
    WareCorrupt,
    /// The ware is well-formed and another one.
    HashMismatch,
    /// The caller asked to stop.
    Cancelled,
    /// The ware cache could not be used.
    LocalCacheProblem,
    /// Inputs cannot be put together into one tree.
    AssemblyInvalid,
    /// What is to be packed cannot be.
    PackInvalid,
    /// A path on this machine could not be used.
    InoperablePath,
    /// A filter that says `reject` met what it rejects.
    FilterRejection,
}

impl Category {
    /// The published name, `rio-…`.
    pub fn name(self) -> &'static str {
        match self {
            Category::Usage => "rio-usage-error",
            Category::WarehouseUnavailable => "rio-warehouse-unavailable",
            Category::WarehouseUnwritable => "rio-warehouse-unwritable",
            Category::WareNotFound => "rio-ware-not-found",
            Category::WareCorrupt => "rio-ware-corrupt",
            Category::HashMismatch => "rio-hash-mismatch",
            Category::Cancelled => "rio-cancelled",
            Category::LocalCacheProblem => "rio-local-cache-problem",
            Category::AssemblyInvalid => "rio-assembly-invalid",
            Category::PackInvalid => "rio-pack-invalid",
            Category::InoperablePath => "rio-inoperable-path",
            Category::FilterRejection => "rio-filter-rejection",
        }
    }

    /// The published exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Category::Usage => 1,
            Category::WarehouseUnavailable => 3,
            Category::WarehouseUnwritable => 4,
            Category::WareNotFound => 5,
            Category::WareCorrupt => 6,
            Category::HashMismatch => 7,
            Category::Cancelled => 8,
            Category::LocalCacheProblem => 9,
            Category::AssemblyInvalid => 10,
            Category::PackInvalid => 11,
            Category::InoperablePath => 12,
            Category::FilterRejection => 13,
        }
    }
}
