//! Codespecs that have a name, read from a file, from flags, or from both.

use serde_json::Value;
use wake_yaml::{DocumentError, Warning, Yaml};

use crate::codespec::Codespec;
use crate::draft::{self, Draft};
use crate::flags::{FlagError, Flags};
use crate::name::CodespecName;
use crate::said::{Ground, Origin};
use crate::settle::Settling;

/// A codespec with its name, and what is probably not meant in it.
#[derive(Clone, Debug)]
pub struct NamedCodespec {
    /// Its name.
    pub name: CodespecName,
    /// What it is.
    pub codespec: Codespec,
    /// The version that it says it is: of one that was read back.
    pub version: Option<u64>,
    /// When it says that it was made, as RFC 3339 has it.
    pub created_at: Option<String>,
    /// What should be told.
    pub warnings: Vec<Warning>,
}

/// Why there is no codespec.
#[derive(Debug, thiserror::Error)]
pub enum CodespecError {
    /// What somebody wrote is wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// What somebody typed is wrong.
    #[error(transparent)]
    Flag(#[from] FlagError),
}

/// A document under the name that a person calls its file by.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// As it lies; JSON is YAML.
    Written {
        /// The name.
        file: &'a str,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// What the file comes to, which has no places.
    Computed {
        /// The name.
        file: &'a str,
        /// The value.
        value: &'a Value,
    },
}

impl Source<'_> {
    pub(crate) fn yaml(&self) -> Result<Yaml, DocumentError> {
        match self {
            Source::Written { file, bytes } => Yaml::parse(file, bytes, PROGRAM),
            Source::Computed { file, value } => Ok(Yaml::computed(file, value, PROGRAM)),
        }
    }
}

/// The program that the documents are written for.
const PROGRAM: &str = "Tyger";

impl NamedCodespec {
    /// What a document and flags say together.
    pub fn read(document: Option<Source<'_>>, flags: &Flags) -> Result<Self, CodespecError> {
        let (ground, mut draft) = match document {
            None => (Ground::Flags, Draft::default()),
            Some(source) => {
                let yaml = source.yaml()?;
                let draft = draft::read(&yaml, &yaml.root, "")?;
                (Ground::Document(yaml.source), draft)
            }
        };
        flags.apply(&mut draft)?;
        let Some(said) = &draft.name else {
            let message = match ground {
                Ground::Document(_) => "a name for the codespec must be given",
                Ground::Flags => "if `--file` is not provided, a name for the codespec is required",
            };
            let error = ground.error(Origin::Nowhere, message);
            return Err(error
                .with_hint("run `wake codespec create NAME …`, or add `name:` to the file")
                .into());
        };
        let name = said.value.parse::<CodespecName>();
        let name = name.map_err(|error| ground.error(said.at, error.to_string()))?;
        let mut warnings = Vec::new();
        let mut settling =
            Settling { ground: &ground, path: "", expected: None, warnings: &mut warnings };
        let codespec = settling.codespec(&draft)?;
        let version = draft.version.map(|version| version.value);
        let created_at = draft.created_at.map(|time| time.value);
        Ok(NamedCodespec { name, codespec, version, created_at, warnings })
    }
}
