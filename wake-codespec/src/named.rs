//! Named codespecs, read from a file, from flags, or from both.

use serde_json::Value;
use wake_yaml::{DocumentError, Warning, Yaml};

use crate::codespec::Codespec;
use crate::draft::{self, Draft};
use crate::flags::{FlagError, Flags};
use crate::name::CodespecName;
use crate::said::{Ground, Origin};
use crate::settle::Settling;

/// A codespec with its name, and warnings about it.
#[derive(Clone, Debug)]
pub struct NamedCodespec {
    /// Its name.
    pub name: CodespecName,
    /// The codespec.
    pub codespec: Codespec,
    /// The version in the document, if it was shown before.
    pub version: Option<u64>,
    /// The time of creation in the document, in RFC 3339 form.
    pub created_at: Option<String>,
    /// Warnings.
    pub warnings: Vec<Warning>,
}

/// Why a codespec could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodespecError {
    /// The document is invalid.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The command line is invalid.
    #[error(transparent)]
    Flag(#[from] FlagError),
}

/// A document with the name of its file.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The text of the file; JSON is read as YAML.
    Written {
        /// The name of the file.
        file: &'a str,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The value of a Jsonnet file, without source positions.
    Computed {
        /// The name of the file.
        file: &'a str,
        /// Its value.
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
    /// Reads a document, overridden by flags.
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
