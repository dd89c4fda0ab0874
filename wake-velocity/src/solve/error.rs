use std::fmt::Write;

use wake_yaml::{DocumentError, Place};

/// Why nothing can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// A document is invalid.
    #[error("{0}")]
    Document(DocumentError),
    /// No target was given.
    #[error("no image is requested")]
    NoTarget,
    /// A target is malformed.
    #[error("`{target}` is not a target")]
    Malformed {
        /// The target as given.
        target: String,
        /// The expected form.
        help: String,
    },
    /// No image has the name of a target.
    #[error("there is no image `{name}` for {setting}")]
    NoImage {
        /// The name.
        name: String,
        /// The system, backend and distribution.
        setting: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// No version of an image meets its targets.
    #[error("no version of `{name}` meets {targets}")]
    NoVersion {
        /// The image.
        name: String,
        /// The targets for it.
        targets: String,
        /// The available versions.
        help: String,
    },
    /// The requirements contradict each other.
    #[error("no versions fit together:{}", prose(.0))]
    Conflict(Vec<Fact>),
    /// The search was aborted.
    #[error("no versions that fit together were found within {conflicts} conflicts")]
    GivenUp {
        /// The number of conflicts encountered.
        conflicts: usize,
    },
}

/// One of a set of facts that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The fact in words.
    pub text: String,
    /// The positions in documents that state it.
    pub at: Vec<Place>,
}

impl SolveError {
    /// Returns a hint about how to fix it.
    pub fn help(&self) -> Option<String> {
        match self {
            SolveError::Document(error) => error.hint.clone(),
            SolveError::NoTarget => Some("name an image, such as `gcc`".to_owned()),
            SolveError::NoImage { help, .. } => help.clone(),
            SolveError::Malformed { help, .. } | SolveError::NoVersion { help, .. } => {
                Some(help.clone())
            }
            SolveError::Conflict(_) => {
                Some("change one of these lines, or request another version".to_owned())
            }
            SolveError::GivenUp { .. } => {
                Some("add targets with exact versions for some of the images".to_owned())
            }
        }
    }
}

impl From<DocumentError> for SolveError {
    fn from(error: DocumentError) -> Self {
        SolveError::Document(error)
    }
}

fn prose(facts: &[Fact]) -> String {
    let mut prose = String::new();
    for fact in facts {
        let _ = write!(prose, "\n  {}", fact.text);
        if let [first, rest @ ..] = &fact.at[..] {
            let _ = match rest.len() {
                0 => write!(prose, " ({first})"),
                more => write!(prose, " ({first} and {more} more)"),
            };
        }
    }
    prose
}
