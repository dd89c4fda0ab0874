//! Diagnostics for faulty container images.

use wake_image::{ContainerError, ImageError};
use wake_store::ware::ExtractError;

use crate::diagnostic::{Class, Diagnostic};
use crate::error::{MAKES_ROOM, store_failure};

const ASK: &str = "nothing was stored: ask whoever built the image";

/// Returns the diagnostic for a failure with an image: the message, the class and the remedy.
pub fn image_failure(error: &ImageError) -> Diagnostic {
    if let ImageError::Store(error) = error {
        return store_failure(error);
    }
    let diagnostic = Diagnostic::error(class_of(error), error.to_string());
    match error {
        ImageError::Platform { .. } => diagnostic
            .help("choose another platform with `platform: 'OS/ARCHITECTURE'` or `--platform`"),
        ImageError::Registry(ContainerError::Unavailable { .. }) => {
            diagnostic.help("use `--offline` to build with what is in the store")
        }
        ImageError::Registry(ContainerError::Denied { .. }) => diagnostic.help(
            "log in with `skopeo login`, `podman login` or `docker login`; wake reads their logins",
        ),
        ImageError::Registry(ContainerError::Logins { .. }) => {
            diagnostic.help("recreate the file with the tool that wrote it")
        }
        ImageError::Offline { .. } => diagnostic.help("run without `--offline` to fetch it"),
        ImageError::NoRoom { .. } => diagnostic.help(MAKES_ROOM),
        ImageError::Several { .. } => diagnostic.help("name one: `oci:DIR:NAME`"),
        _ if diagnostic.class == Class::Integrity => diagnostic.help(ASK),
        _ => diagnostic,
    }
}

fn class_of(error: &ImageError) -> Class {
    match error {
        ImageError::Reference(_)
        | ImageError::Several { .. }
        | ImageError::Form { .. }
        | ImageError::Platform { .. } => Class::Evaluation,
        ImageError::NotThere { .. } => Class::Resolution,
        ImageError::Registry(ContainerError::Unavailable { .. }) | ImageError::Offline { .. } => {
            Class::Network
        }
        ImageError::Document { .. }
        | ImageError::Digest { .. }
        | ImageError::Size { .. }
        | ImageError::Missing { .. }
        | ImageError::Unpacked { .. } => Class::Integrity,
        ImageError::Layer { source, .. } => match source {
            ExtractError::Write { .. } | ExtractError::Read { .. } => Class::Environment,
            _ => Class::Integrity,
        },
        ImageError::Cancelled | ImageError::Registry(ContainerError::Cancelled) => {
            Class::Interrupted
        }
        ImageError::NoRoom { .. } | ImageError::Unpack { .. } => Class::Environment,
        ImageError::NoFiles { .. } | ImageError::Place { .. } => Class::Action,
        ImageError::ReadOnly(_) => Class::Usage,
        ImageError::Registry(
            ContainerError::Denied { .. } | ContainerError::Logins { .. } | ContainerError::Here(_),
        )
        | ImageError::Tree(_)
        | ImageError::Write(_)
        | ImageError::Build(_)
        | ImageError::Io { .. }
        | ImageError::Store(_) => Class::Environment,
    }
}
