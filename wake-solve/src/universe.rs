//! What the caller knows of published packages, and what a workspace asks for.

use wake_model::{Name, PkgName, Requirement, Version};

/// Who knows which versions of packages exist.
///
/// Its answers must stay the same as long as something is being solved.
pub trait Universe {
    /// Why there is no answer; solving ends with it.
    type Error;

    /// Every version of a package that was ever published, in any order; none if there is no such package.
    ///
    /// Asked once for each package. Of versions that differ in build metadata alone, one is used.
    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, Self::Error>;

    /// The names that exist in a namespace, for whoever mistyped one. Asked only when a package does not exist.
    fn names(&self, namespace: Option<&Name>) -> Result<Vec<Name>, Self::Error>;

    /// Hears which packages will probably be asked for soon, so that answers can be fetched ahead.
    fn expect(&self, _names: &[&PkgName]) {}

    /// Asked before each step of the search; an error ends it.
    fn go_on(&self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// One published version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// What it needs from registries, in any order.
    pub needs: Vec<Need>,
    /// Whether it may be used.
    pub standing: Standing,
}

/// Which package is needed, in which versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The package.
    pub name: PkgName,
    /// The versions that will do.
    pub requirement: Requirement,
}

/// Whether a version may be used. A reason is what stands behind "is": `yanked: it writes to the wrong file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Usable,
    /// Only where the lock has it and it is not being updated.
    OnlyLocked {
        /// Why no one may begin to use it.
        because: String,
    },
    /// It may not.
    Unusable {
        /// Why.
        because: String,
        /// What would allow it.
        help: Option<String>,
    },
}

/// What a package of the workspace requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The label of the package that requires it: `//libs/net`.
    pub by: String,
    /// Where that is written: `libs/net/PKG.libsonnet:4:11`.
    pub at: Option<String>,
    /// Which package is required.
    pub name: PkgName,
    /// The versions that will do.
    pub requirement: Requirement,
}
