//! What can be wrong with a registry of assets.

use std::io;
use std::path::{Path, PathBuf};

use wake_model::nearest::nearest;
use wake_yaml::DocumentError;

use crate::name::NameError;
use crate::registry_path::ParseRegistryPathError;
use crate::seek::SeekType;

/// A registry of assets did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// A document is not what it should be.
    #[error(transparent)]
    Document(Box<DocumentError>),
    /// There is no registry.
    #[error("there is no registry of assets at `{}`", path.display())]
    NoRegistry {
        /// The configuration that is not there.
        path: PathBuf,
    },
    /// There is one already.
    #[error("`{}` is a registry of assets already", path.display())]
    RegistryThere {
        /// Its configuration.
        path: PathBuf,
    },
    /// What is asked for is not there.
    #[error("{0}")]
    Missing(Missing),
    /// A text is no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A text is no registry path.
    #[error(transparent)]
    Path(#[from] ParseRegistryPathError),
    /// A registry path does not say which genome.
    #[error("`{path}` names no genome")]
    NoGenome {
        /// The path.
        path: String,
    },
    /// The asset is there already.
    #[error("`{asset}` is there already")]
    Exists {
        /// The asset.
        asset: String,
    },
    /// Something lies where it would go, and is in no registry.
    #[error("`{}` is there, though no such asset is registered", path.display())]
    Unregistered {
        /// Where.
        path: PathBuf,
    },
    /// The asset is of another class in its other forms.
    #[error("`{asset}` is of class `{has}`, and what is to be registered of class `{class}`")]
    ClassTaken {
        /// The asset.
        asset: String,
        /// The class of what is there.
        has: String,
        /// The class of the new one.
        class: String,
    },
    /// An alias is of another genome.
    #[error("`{alias}` is the genome {digest} already")]
    AliasTaken {
        /// The alias.
        alias: String,
        /// Whose it is.
        digest: String,
    },
    /// Other assets are made of it.
    #[error("{} made of `{asset}`: `{}`", if children.len() == 1 { "an asset is" } else { "assets are" }, children.join("`, `"))]
    HasChildren {
        /// The asset.
        asset: String,
        /// What is made of it.
        children: Vec<String>,
    },
    /// What a seek key finds is not there, or not such a thing.
    #[error("seek key `{key}` of `{asset}`: {problem}")]
    Seek {
        /// The asset.
        asset: String,
        /// The key.
        key: String,
        /// What its class says it is.
        kind: Option<SeekType>,
        /// What is wrong.
        problem: String,
    },
    /// A file of sequences is not what it should be.
    #[error("`{}`: {problem}", path.display())]
    Fasta {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A sequence, or a part of it, is not there.
    #[error("{problem}")]
    Locus {
        /// What is asked for and what is there.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A tree cannot be an asset.
    #[error("`{}` cannot be an asset: {problem}", path.display())]
    Tree {
        /// The directory or what lies in it.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A path leads out of the registry.
    #[error("`{path}` leads out of {of}")]
    Escapes {
        /// The path as it is written.
        path: String,
        /// Which directory it is to stay in.
        of: String,
    },
    /// Somebody else holds the registry.
    #[error("`{}` holds the registry since more than {seconds} s", path.display())]
    Held {
        /// The mark of whoever holds it.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Bytes are not what they should be.
    #[error("{what} is {came}, and should be {expected}")]
    Digest {
        /// Of what the digest is.
        what: String,
        /// The digest that there should be.
        expected: String,
        /// The digest that there is.
        came: String,
    },
    /// A place for archives cannot be used.
    #[error("{place}: {problem}")]
    Place {
        /// The place, without secrets.
        place: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Another machine cannot be reached, or does not answer as it should.
    #[error("{place}: {problem}")]
    Network {
        /// The address, without secrets.
        place: String,
        /// What happened.
        problem: String,
    },
    /// Whoever was to get the bytes did not take them.
    #[error("{0}")]
    Write(io::Error),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The machine does not allow it.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What is not there, with what might have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Missing {
    what: String,
    near: Option<String>,
    else_do: String,
}

/// What kind of failure it is; the program has an exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was typed is at fault.
    Usage,
    /// What is asked for is not there.
    Nothing,
    /// A document is at fault.
    Document,
    /// Things do not fit together.
    Conflict,
    /// Bytes are not what they should be.
    Integrity,
    /// Another machine.
    Network,
    /// This machine.
    Environment,
    /// It was stopped.
    Interrupted,
}

impl Missing {
    /// `what` is the sentence; `wrong` is close to one of `known`, perhaps.
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
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            AssetError::Document(error) => error.hint.clone(),
            AssetError::NoRegistry { .. } => Some(
                "`wake genome init FASTA` makes one, `--genome-config` or REFGENIE says where it is".to_owned(),
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
            AssetError::Exists { .. } => Some("`--force` puts the new one in its place".to_owned()),
            AssetError::Unregistered { .. } => Some(
                "look at it, and remove it: a build that broke off may have left it; `--force` replaces it".to_owned(),
            ),
            AssetError::ClassTaken { .. } => Some("register it under another name".to_owned()),
            AssetError::AliasTaken { .. } => {
                Some("`wake genome alias remove` takes it from that one, `--force` gives it to this".to_owned())
            }
            AssetError::HasChildren { .. } => {
                Some("`--force` goes on, and no longer says what they were made of".to_owned())
            }
            AssetError::Held { path, .. } => Some(format!(
                "if no refgenie is at work any more, remove `{}`",
                path.display()
            )),
            AssetError::Locus { hint, .. } | AssetError::Place { hint, .. } => hint.clone(),
            _ => None,
        }
    }

    /// What kind of failure it is.
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

/// Names the path of an I/O error.
pub(crate) trait At<T> {
    /// The same, with the path.
    fn at(self, path: &Path) -> Result<T, AssetError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &Path) -> Result<T, AssetError> {
        self.map_err(|error| AssetError::Io { path: path.to_owned(), source: error.into() })
    }
}
