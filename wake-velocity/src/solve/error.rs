use std::fmt::Write;

use wake_yaml::{DocumentError, Place};

/// Why there is nothing to build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolveError {
    /// A document is wrong.
    #[error("{0}")]
    Document(DocumentError),
    /// Nothing was asked for.
    #[error("no image is asked for")]
    NoTarget,
    /// A target has no form.
    #[error("`{target}` is no target")]
    Malformed {
        /// As it was typed.
        target: String,
        /// What to write.
        help: String,
    },
    /// No image has the name of a target.
    #[error("there is no image `{name}` for {setting}")]
    NoImage {
        /// The name.
        name: String,
        /// For which system, backend and distribution.
        setting: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// An image has no version that its targets leave.
    #[error("no version of `{name}` meets {targets}")]
    NoVersion {
        /// The image.
        name: String,
        /// The targets that speak of it.
        targets: String,
        /// Which ones there are.
        help: String,
    },
    /// What is needed cannot be met together.
    #[error("nothing fits:{}", prose(.0))]
    Conflict(Vec<Fact>),
    /// The search was given up.
    #[error("the search for versions that fit together was given up after {conflicts} conflicts")]
    GivenUp {
        /// How many there were.
        conflicts: usize,
    },
}

/// One of the facts that cannot all be true of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The fact in words.
    pub text: String,
    /// Where documents say so.
    pub at: Vec<Place>,
}

impl SolveError {
    /// One thing to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            SolveError::Document(error) => error.hint.clone(),
            SolveError::NoTarget => Some("name one, such as `gcc`".to_owned()),
            SolveError::NoImage { help, .. } => help.clone(),
            SolveError::Malformed { help, .. } | SolveError::NoVersion { help, .. } => {
                Some(help.clone())
            }
            SolveError::Conflict(_) => {
                Some("change one of these lines, or ask for another version".to_owned())
            }
            SolveError::GivenUp { .. } => {
                Some("name exact versions for some of the images, as further targets".to_owned())
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
