//! The error categories published by rio and repeatr, with their exit codes.

/// The kind of failure of a ware operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// The arguments are invalid.
    Usage,
    /// No warehouse could be reached.
    WarehouseUnavailable,
    /// The warehouse could not be written.
    WarehouseUnwritable,
    /// Warehouses were reached, but none has the ware.
    WareNotFound,
    /// The data is not a well-formed ware.
    WareCorrupt,
    /// The ware is well-formed, but not the requested one.
    HashMismatch,
    /// The caller cancelled the operation.
    Cancelled,
    /// The ware cache could not be used.
    LocalCacheProblem,
    /// Inputs cannot be combined into one tree.
    AssemblyInvalid,
    /// The tree cannot be packed.
    PackInvalid,
    /// A path on this machine could not be used.
    InoperablePath,
    /// A filter that says `reject` met what it rejects.
    FilterRejection,
}

impl Category {
    /// Returns the published name, `rio-…`.
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

    /// Returns the published exit code.
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
