//! Errors of registries.

use std::io;
use std::path::PathBuf;

use wake_model::{Name, PkgName, TreeDigest, Version};
use wake_store::{ReadArchiveError, StoreError};

use crate::head::HeadFault;
use crate::shelf::HEAD;
use crate::trust::Distrust;

/// A registry operation failed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry cannot be reached, or does not answer as a file server does.
    #[error("registry `{registry}`: {path}: {problem}")]
    Unavailable {
        /// The registry.
        registry: Name,
        /// What was requested.
        path: String,
        /// What happened instead.
        problem: String,
    },
    /// The registry denied access.
    #[error("registry `{registry}`: {path}: {status}")]
    Denied {
        /// The registry.
        registry: Name,
        /// What was requested.
        path: String,
        /// The status line, and which login was used.
        status: String,
    },
    /// There is no registry at this address.
    #[error("there is no registry at `{address}`")]
    NoRegistry {
        /// The address.
        address: String,
    },
    /// A line of a package's log is invalid.
    #[error("registry `{registry}`: {path}:{line}: {problem}")]
    Log {
        /// The registry.
        registry: Name,
        /// The log.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A package's log does not start with what was seen of it before.
    #[error("registry `{registry}`: {path} was truncated or rewritten: line {line} has changed")]
    WentBack {
        /// The registry.
        registry: Name,
        /// The log.
        path: String,
        /// The first line that differs, from 1.
        line: usize,
    },
    /// A tag of a package that was seen before is gone.
    #[error("registry `{registry}`: {repository}: tag `{tag}` has disappeared")]
    TagGone {
        /// The registry.
        registry: Name,
        /// The repository of the package.
        repository: String,
        /// The tag.
        tag: String,
    },
    /// The head of a signed registry is not trusted.
    #[error("registry `{registry}`: {HEAD}: {fault}")]
    Head {
        /// The registry.
        registry: Name,
        /// What is wrong with it.
        fault: HeadFault,
        /// The ids of the trusted keys, separated by commas.
        keys: String,
    },
    /// A file does not match the head of its signed registry.
    #[error("registry `{registry}`: {path} does not match {HEAD}: {problem}")]
    Unlisted {
        /// The registry.
        registry: Name,
        /// The list or log.
        path: String,
        /// How it differs.
        problem: String,
    },
    /// No trusted key vouches for a version.
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
        /// The ids of the trusted keys, separated by commas.
        keys: String,
    },
    /// A signed registry cannot be written without its key.
    #[error("registry `{registry}` is signed, but its signing key is not available")]
    NoHeadKey {
        /// The registry.
        registry: Name,
        /// The ids of the keys that sign it, separated by commas.
        keys: String,
    },
    /// A credentials file is invalid.
    #[error("`{}`: {problem}", path.display())]
    Logins {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any of its contents.
        problem: String,
    },
    /// A registry cannot have a login.
    #[error("`{address}` cannot have a login: {problem}")]
    NoLogin {
        /// The registry.
        address: String,
        /// Why not.
        problem: &'static str,
    },
    /// A credentials file is accessible to other users.
    #[error("`{}`: {problem}", path.display())]
    OpenLogins {
        /// The file.
        path: PathBuf,
        /// Who has access.
        problem: String,
    },
    /// The archive or metadata of a version is not what it should be.
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
    /// A version is already published with different content.
    #[error("{pkg} {version} is already published with different content")]
    OtherContent {
        /// The package.
        pkg: PkgName,
        /// The published version.
        version: Version,
        /// Its content.
        there: TreeDigest,
        /// The content to be published.
        ours: TreeDigest,
    },
    /// A published package has a name that could be mistaken for this one.
    #[error("`{pkg}` differs from the published `{other}` only in `-` and `_`")]
    Resembles {
        /// The package to be published.
        pkg: PkgName,
        /// The published package.
        other: PkgName,
    },
    /// The version does not exist.
    #[error("registry `{registry}` has no {pkg} {version}")]
    NoVersion {
        /// The registry.
        registry: Name,
        /// The package.
        pkg: PkgName,
        /// The version.
        version: Version,
    },
    /// The registry is read-only at this address.
    #[error("`{address}` is read-only")]
    ReadOnly {
        /// The registry.
        address: String,
    },
    /// An I/O error.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An archive was rejected.
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

/// Adds the path to a failed system call.
pub(crate) fn at<T>(path: &std::path::Path, result: io::Result<T>) -> Result<T, RegistryError> {
    result.map_err(|source| RegistryError::Io { path: path.to_owned(), source })
}
