//! The caller's knowledge of published packages, and the requirements of a workspace.

use wake_model::{Name, PkgName, Requirement, Version};

/// Knows which versions of packages exist.
///
/// Answers must stay the same while a task is being solved.
pub trait Universe {
    /// The reason why there is no answer; it ends the search.
    type Error;

    /// Returns every version of a package that was ever published, in any order; `None` if there is no such package.
    ///
    /// Called once per package. Of versions that differ only in build metadata, one is used.
    fn releases(&self, name: &PkgName) -> Result<Option<Vec<Release>>, Self::Error>;

    /// Returns the names in a namespace, to suggest one. Called only if a package does not exist.
    fn names(&self, namespace: Option<&Name>) -> Result<Vec<Name>, Self::Error>;

    /// Announces packages that will probably be requested soon, so that answers can be prefetched.
    fn expect(&self, _names: &[&PkgName]) {}

    /// Called before each step of the search; an error ends it.
    fn go_on(&self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// One published version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// Its needs from registries, in any order.
    pub needs: Vec<Need>,
    /// Whether it may be used.
    pub standing: Standing,
}

/// A required package and its acceptable versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The package.
    pub name: PkgName,
    /// The acceptable versions.
    pub requirement: Requirement,
}

/// Whether a version may be used. A reason completes a sentence with "is": `yanked: it writes to the wrong file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be used.
    Usable,
    /// It may be used only if it is locked and not being updated.
    OnlyLocked {
        /// Why it may not be newly chosen.
        because: String,
    },
    /// It may not be used.
    Unusable {
        /// The reason.
        because: String,
        /// What would allow it.
        help: Option<String>,
    },
}

/// A requirement of a workspace package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The label of the requiring package: `//libs/net`.
    pub by: String,
    /// Where it is written: `libs/net/PKG.libsonnet:4:11`.
    pub at: Option<String>,
    /// The required package.
    pub name: PkgName,
    /// The acceptable versions.
    pub requirement: Requirement,
}
