//! Scripts and commands of each backend.

mod command;
mod definition;
mod dockerfile;

pub use command::Limits;
pub(crate) use command::quoted;

use wake_yaml::{DocumentError, Place};

use crate::catalog::Generation;
use crate::template::Template;

/// A build tool.
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
    /// Apptainer: from a definition to a SIF file.
    Apptainer,
    /// Singularity: from the same definition.
    Singularity,
    /// Docker: from a Dockerfile to an image of its own.
    Docker,
    /// Podman: from the same Dockerfile.
    Podman,
    /// Buildah: from the same Dockerfile.
    Buildah,
    /// wake itself: in its own sandbox, from the template to an image.
    Wake,
    /// OpenShift: a build on a cluster, from the same Dockerfile to an image stream.
    OpenShift,
}

impl Backend {
    /// The name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Backend::OpenShift => "oc",
            backend => backend.into(),
        }
    }

    /// Whether it reads definitions instead of Dockerfiles.
    pub fn reads_definitions(self) -> bool {
        matches!(self, Backend::Apptainer | Backend::Singularity)
    }

    /// Returns the script for a template; each line ends with a newline.
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

/// An error at a position in a template.
fn error(place: &Place, message: impl Into<String>, line: &str) -> DocumentError {
    DocumentError {
        place: place.clone(),
        // Shows the line as in the template, to match the column.
        source_line: format!("{}{line}", " ".repeat(place.column.saturating_sub(1))),
        message: message.into(),
        hint: None,
    }
}
