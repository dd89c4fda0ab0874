//! What can be wrong with a registry.

use std::io;
use std::path::PathBuf;

use wake_model::{Name, PkgName, TreeDigest, Version};
use wake_store::{ReadArchiveError, StoreError};

use crate::head::HeadFault;
use crate::shelf::HEAD;
use crate::trust::Distrust;

/// A registry did not give or take what it should.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It cannot be reached, or does not answer as a server of files does.
    #[error("registry `{registry}`: {path}: {problem}")]
    Unavailable {
        /// The registry.
        registry: Name,
        /// What was asked for.
        path: String,
        /// What came instead.
        problem: String,
    },
    /// It does not let one in.
    #[error("registry `{registry}`: {path}: {status}")]
    Denied {
        /// The registry.
        registry: Name,
        /// What was asked for.
        path: String,
        /// What the server said.
        status: String,
    },
    /// There is no registry.
    #[error("there is no registry at `{address}`")]
    NoRegistry {
        /// Where.
        address: String,
    },
    /// What it says of a package makes no sense.
    #[error("registry `{registry}`: {path}:{line}: {problem}")]
    Log {
        /// The registry.
        registry: Name,
        /// The log.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// What it says of a package is not what it said before, and more.
    #[error(
        "registry `{registry}`: {path} went back or was rewritten: line {line} was another one"
    )]
    WentBack {
        /// The registry.
        registry: Name,
        /// The log.
        path: String,
        /// The first line that differs, from 1.
        line: usize,
    },
    /// A tag of a package is gone that was there.
    #[error("registry `{registry}`: {repository}: the tag `{tag}` was there, and is gone")]
    TagGone {
        /// The registry.
        registry: Name,
        /// The repository of the package.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// What a signed registry says of itself is not to be believed.
    #[error("registry `{registry}`: {HEAD}: {fault}")]
    Head {
        /// The registry.
        registry: Name,
        /// What is wrong with it.
        fault: HeadFault,
        /// What the keys are called whose signatures count, between commas.
        keys: String,
    },
    /// The head of a signed registry names other bytes than are there.
    #[error("registry `{registry}`: {path} is not what {HEAD} says: {problem}")]
    Unlisted {
        /// The registry.
        registry: Name,
        /// The list or log.
        path: String,
        /// How it differs.
        problem: String,
    },
    /// Nobody whose signature counts vouches for a version.
    #[error("registry `{registry}`: {pkg} {version}: {distrust}")]
    Distrusted {
        /// The registry.
        registry: Name,
        /// The package.
        pkg: PkgName,
        /// Its version.
        version: Version,
        /// Why it is not trusted.
        distrust: Distrust,
        /// What the keys are called whose signatures count, between commas.
        keys: String,
    },
    /// A signed registry cannot be written without its key.
    #[error("registry `{registry}` is signed, and the key for it is not here")]
    NoHeadKey {
        /// The registry.
        registry: Name,
        /// What the keys are called that sign it, between commas.
        keys: String,
    },
    /// A file of names and passwords makes no sense.
    #[error("`{}`: {problem}", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// What is wrong with it: nothing of what it holds.
        problem: String,
    },
    /// A registry that a login is of no use for.
    #[error("there is no login for `{address}`: {problem}")]
    NoLogin {
        /// The registry.
        address: String,
        /// Why not.
        problem: &'static str,
    },
    /// A file of logins can be read by others.
    #[error("`{}`: {problem}", path.display())]
    OpenLogins {
        /// The file.
        path: PathBuf,
        /// Who is too many.
        problem: String,
    },
    /// The archive or the metadata of a version are not those that they should be.
    #[error("registry `{registry}`: {pkg} {version}: {problem}")]
    Altered {
        /// The registry.
        registry: Name,
        /// The package.
        pkg: PkgName,
        /// Its version.
        version: Version,
        /// How they differ.
        problem: String,
    },
    /// A version is there with other content.
    #[error("{pkg} {version} is published already, with other content")]
    OtherContent {
        /// The package.
        pkg: PkgName,
        /// The version that is there.
        version: Version,
        /// What it has.
        there: TreeDigest,
        /// What was to be published.
        ours: TreeDigest,
    },
    /// A package is there whose name could be mistaken for it.
    #[error("`{pkg}` differs from `{other}`, which is there, in `-` and `_` alone")]
    Resembles {
        /// What was to be published.
        pkg: PkgName,
        /// What is there.
        other: PkgName,
    },
    /// There is no such version.
    #[error("registry `{registry}` has no {pkg} {version}")]
    NoVersion {
        /// The registry.
        registry: Name,
        /// The package.
        pkg: PkgName,
        /// The version.
        version: Version,
    },
    /// A registry can only be written where it lies.
    #[error("`{address}` can only be read")]
    ReadOnly {
        /// The registry.
        address: String,
    },
    /// The disk failed under a registry.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An archive was not taken.
    #[error("registry `{registry}`: {path}: {source}")]
    Archive {
        /// The registry.
        registry: Name,
        /// The archive.
        path: String,
        /// What is wrong with it.
        source: ReadArchiveError,
    },
    /// A package cannot be packed.
    #[error("{0}")]
    Pack(String),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Gives a failed system call the path that it failed on.
pub(crate) fn at<T>(path: &std::path::Path, result: io::Result<T>) -> Result<T, RegistryError> {
    result.map_err(|source| RegistryError::Io { path: path.to_owned(), source })
}
