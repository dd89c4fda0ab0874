//! Errors of an asset registry.

use std::io;
use std::path::{Path, PathBuf};

use wake_model::nearest::nearest;
use wake_yaml::DocumentError;

use crate::name::NameError;
use crate::registry_path::ParseRegistryPathError;
use crate::seek::SeekType;

/// Why an operation on an asset registry failed.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// A document is invalid.
    #[error(transparent)]
    Document(Box<DocumentError>),
    /// The registry does not exist.
    #[error("no asset registry at `{}`", path.display())]
    NoRegistry {
        /// The missing configuration.
        path: PathBuf,
    },
    /// The registry exists already.
    #[error("`{}` is already an asset registry", path.display())]
    RegistryThere {
        /// Its configuration.
        path: PathBuf,
    },
    /// The requested thing does not exist.
    #[error("{0}")]
    Missing(Missing),
    /// A text is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A text is not a valid registry path.
    #[error(transparent)]
    Path(#[from] ParseRegistryPathError),
    /// A registry path does not name a genome.
    #[error("`{path}` does not name a genome")]
    NoGenome {
        /// The path.
        path: String,
    },
    /// The asset exists already.
    #[error("`{asset}` already exists")]
    Exists {
        /// The asset.
        asset: String,
    },
    /// Unregistered files are at the asset's location.
    #[error("`{}` exists but is not registered", path.display())]
    Unregistered {
        /// The location.
        path: PathBuf,
    },
    /// The asset has another class under its other tags.
    #[error("`{asset}` has class `{has}`, but the new asset has class `{class}`")]
    ClassTaken {
        /// The asset.
        asset: String,
        /// The registered class.
        has: String,
        /// The class of the new asset.
        class: String,
    },
    /// An alias belongs to another genome.
    #[error("`{alias}` already names genome {digest}")]
    AliasTaken {
        /// The alias.
        alias: String,
        /// The genome it belongs to.
        digest: String,
    },
    /// The asset is a parent of other assets.
    #[error("`{asset}` is a parent of `{}`", children.join("`, `"))]
    HasChildren {
        /// The asset.
        asset: String,
        /// Its children.
        children: Vec<String>,
    },
    /// The target of a seek key is missing, or has another type.
    #[error("seek key `{key}` of `{asset}`: {problem}")]
    Seek {
        /// The asset.
        asset: String,
        /// The key.
        key: String,
        /// The declared type.
        kind: Option<SeekType>,
        /// The problem.
        problem: String,
    },
    /// A FASTA file is invalid.
    #[error("`{}`: {problem}", path.display())]
    Fasta {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A sequence, or a part of it, does not exist.
    #[error("{problem}")]
    Locus {
        /// What was requested and what exists.
        problem: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// A directory cannot be an asset.
    #[error("`{}` cannot be an asset: {problem}", path.display())]
    Tree {
        /// The directory or an entry in it.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A path points outside the directory it must stay in.
    #[error("`{path}` points outside {of}")]
    Escapes {
        /// The path as written.
        path: String,
        /// The directory.
        of: String,
    },
    /// Another process has locked the registry.
    #[error("`{}` has locked the registry for more than {seconds} s", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// How long wake waited.
        seconds: u64,
    },
    /// Content does not match its digest.
    #[error("{what}: expected {expected}, got {came}")]
    Digest {
        /// The content.
        what: String,
        /// The expected digest.
        expected: String,
        /// The actual digest.
        came: String,
    },
    /// An archive place cannot be used.
    #[error("{place}: {problem}")]
    Place {
        /// The place, without secrets.
        place: String,
        /// The problem.
        problem: String,
        /// The remedy.
        hint: Option<String>,
    },
    /// Another machine cannot be reached, or its response is invalid.
    #[error("{place}: {problem}")]
    Network {
        /// The address, without secrets.
        place: String,
        /// What happened.
        problem: String,
    },
    /// Writing the output failed.
    #[error("{0}")]
    Write(io::Error),
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
    /// An I/O error.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Something that does not exist, with a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Missing {
    what: String,
    near: Option<String>,
    else_do: String,
}

/// The kind of a failure; the program has an exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// The requested thing does not exist.
    Nothing,
    /// A document is invalid.
    Document,
    /// The request conflicts with the registry's contents.
    Conflict,
    /// Content does not match its digest.
    Integrity,
    /// The network or another machine failed.
    Network,
    /// This machine failed.
    Environment,
    /// The operation was cancelled.
    Interrupted,
}

impl Missing {
    /// `what` is the message; the nearest of `known` to `wrong` becomes the suggestion.
    pub(crate) fn new<'a>(
        what: String,
        wrong: &str,
        known: impl IntoIterator<Item = &'a str>,
        else_do: impl Into<String>,
    ) -> Missing {
        let near = nearest(wrong, known).map(str::to_owned);
        Missing { what, near, else_do: else_do.into() }
    }
}

impl From<DocumentError> for AssetError {
    fn from(error: DocumentError) -> AssetError {
        AssetError::Document(Box::new(error))
    }
}

impl AssetError {
    /// Returns the remedy, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            AssetError::Document(error) => error.hint.clone(),
            AssetError::NoRegistry { .. } => Some(
                "create one with `wake genome init FASTA`, or name one with `--genome-config` or `REFGENIE`".to_owned(),
            ),
            AssetError::RegistryThere { .. } => None,
            AssetError::Missing(missing) => match &missing.near {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None if missing.else_do.is_empty() => None,
                None => Some(missing.else_do.clone()),
            },
            AssetError::Path(_) => {
                Some(format!("a registry path is {}", crate::registry_path::RegistryPath::FORM))
            }
            AssetError::NoGenome { path } => Some(format!("write `GENOME/{path}`")),
            AssetError::Exists { .. } => Some("use `--force` to replace it".to_owned()),
            AssetError::Unregistered { .. } => Some(
                "inspect and remove it (an interrupted build may have left it), or use `--force` to replace it".to_owned(),
            ),
            AssetError::ClassTaken { .. } => Some("register it under another name".to_owned()),
            AssetError::AliasTaken { .. } => {
                Some("remove it with `wake genome alias remove`, or use `--force` to reassign it".to_owned())
            }
            AssetError::HasChildren { .. } => {
                Some("use `--force` to remove it and drop it from their parents".to_owned())
            }
            AssetError::Held { path, .. } => Some(format!(
                "if no refgenie process is running, remove `{}`",
                path.display()
            )),
            AssetError::Locus { hint, .. } | AssetError::Place { hint, .. } => hint.clone(),
            _ => None,
        }
    }

    /// Returns the kind of the failure.
    pub fn kind(&self) -> Kind {
        match self {
            AssetError::Name(_) | AssetError::Path(_) | AssetError::NoGenome { .. } => Kind::Usage,
            AssetError::NoRegistry { .. }
            | AssetError::Missing(_)
            | AssetError::Locus { .. }
            | AssetError::Place { .. } => Kind::Nothing,
            AssetError::Document(_)
            | AssetError::Seek { .. }
            | AssetError::Fasta { .. }
            | AssetError::Tree { .. }
            | AssetError::Escapes { .. } => Kind::Document,
            AssetError::RegistryThere { .. }
            | AssetError::Exists { .. }
            | AssetError::Unregistered { .. }
            | AssetError::ClassTaken { .. }
            | AssetError::AliasTaken { .. }
            | AssetError::HasChildren { .. } => Kind::Conflict,
            AssetError::Digest { .. } => Kind::Integrity,
            AssetError::Network { .. } => Kind::Network,
            AssetError::Held { .. } | AssetError::Io { .. } | AssetError::Write(_) => {
                Kind::Environment
            }
            AssetError::Cancelled => Kind::Interrupted,
        }
    }

    pub(crate) fn escapes(path: &str, of: &str) -> AssetError {
        AssetError::Escapes { path: path.escape_debug().to_string(), of: of.to_owned() }
    }
}

/// Adds the path to an I/O error.
pub(crate) trait At<T> {
    /// Returns the same result, with the path in its error.
    fn at(self, path: &Path) -> Result<T, AssetError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, AssetError> {
        self.map_err(|error| AssetError::Io { path: path.to_owned(), source: error.into() })
    }
}
