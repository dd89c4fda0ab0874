//! What each backend is given: its script, and the commands that build and finish an image.

mod command;
mod definition;
mod dockerfile;

pub use command::Limits;
pub(crate) use command::quoted;

use wake_yaml::{DocumentError, Place};

use crate::catalog::Generation;
use crate::template::Template;

/// A tool that builds images.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum Backend {
    /// Apptainer, from a definition to a SIF file.
    Apptainer,
    /// Singularity, by the same definition.
    Singularity,
    /// Docker, from a Dockerfile to an image of its own.
    Docker,
    /// Podman, by the same Dockerfile.
    Podman,
    /// Buildah, by the same Dockerfile.
    Buildah,
    /// wake itself, in its own sandbox, from the template to an image of its own.
    Wake,
    /// A build of a cluster, by the same Dockerfile, to an image stream.
    OpenShift,
}

impl Backend {
    /// What its program is called.
    pub fn program(self) -> &'static str {
        match self {
            Backend::OpenShift => "oc",
            backend => backend.into(),
        }
    }

    /// Whether it reads definitions and not Dockerfiles.
    pub fn reads_definitions(self) -> bool {
        matches!(self, Backend::Apptainer | Backend::Singularity)
    }

    /// The script of a template, with a newline after each line.
    pub fn script(
        self,
        template: &Template,
        generation: Generation,
    ) -> Result<String, DocumentError> {
        let lines = match self.reads_definitions() {
            true => definition::lines(template, generation)?,
            false => dockerfile::lines(template, generation)?,
        };
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }
}

/// An error at a place of a template.
fn error(place: &Place, message: impl Into<String>, line: &str) -> DocumentError {
    DocumentError {
        place: place.clone(),
        // As it stands in the template, where the column counts.
        source_line: format!("{}{line}", " ".repeat(place.column.saturating_sub(1))),
        message: message.into(),
        hint: None,
    }
}
