//! An opened location of images.

use std::io::Read;

use wake_registry::{ContainerError, Repository};
use wake_store::ware::Meter;

use crate::digest::ImageDigest;
use crate::document::{ACCEPTED, Descriptor, LARGEST};
use crate::error::ImageError;
use crate::local::Local;

/// A location of images.
#[derive(Debug)]
pub(crate) enum Source {
    /// This machine.
    Local(Local),
    /// A container registry.
    Remote(Box<Repository>),
}

impl Source {
    /// The manifest or index with a name or digest, verified if there is a digest.
    pub(crate) fn document(
        &self,
        image: &str,
        name: Option<&str>,
        digest: Option<&ImageDigest>,
        meter: &Meter,
    ) -> Result<Vec<u8>, ImageError> {
        let not_there = || ImageError::NotThere { image: image.to_owned(), has: Vec::new() };
        let mut asked = digest.copied();
        let bytes = match self {
            Source::Local(local) => {
                // Manifests inside an index can be used as well as those the layout lists.
                let of_index = || digest.map(|digest| local.bytes(digest)).transpose();
                let source = match local.find(image, name, digest) {
                    Ok(found) => {
                        asked = Some(found.digest);
                        local.bytes(&found.digest)?
                    }
                    Err(error) => match of_index()?.flatten() {
                        Some(source) => Some(source),
                        None => return Err(error),
                    },
                };
                small(image, source.ok_or_else(not_there)?)?
            }
            Source::Remote(repository) => {
                let reference = match digest {
                    Some(digest) => digest.to_string(),
                    None => name.unwrap_or("latest").to_owned(),
                };
                let came = repository.manifest(&reference, &ACCEPTED, meter)?;
                came.ok_or_else(not_there)?
            }
        };
        let came = ImageDigest::of(&bytes);
        match asked.filter(|asked| came != *asked) {
            Some(asked) => Err(ImageError::Digest { image: image.to_owned(), asked, came }),
            None => Ok(bytes),
        }
    }

    /// A manifest of any kind, verified against its digest.
    pub(crate) fn manifest(
        &self,
        image: &str,
        digest: &ImageDigest,
        meter: &Meter,
    ) -> Result<Vec<u8>, ImageError> {
        let not_there = || ImageError::NotThere { image: digest.to_string(), has: Vec::new() };
        let bytes = match self {
            Source::Local(local) => small(image, local.bytes(digest)?.ok_or_else(not_there)?)?,
            Source::Remote(repository) => {
                let came = repository.manifest(&digest.to_string(), &ACCEPTED, meter)?;
                came.ok_or_else(not_there)?
            }
        };
        let came = ImageDigest::of(&bytes);
        match came == *digest {
            true => Ok(bytes),
            false => Err(ImageError::Digest { image: image.to_owned(), asked: *digest, came }),
        }
    }

    /// A blob that a manifest refers to, unverified.
    pub(crate) fn bytes(
        &self,
        image: &str,
        of: &Descriptor,
        meter: &Meter,
    ) -> Result<Box<dyn Read + Send>, ImageError> {
        let found = match self {
            Source::Local(local) => local.bytes(&of.digest)?,
            Source::Remote(repository) => repository.blob(&of.digest.to_string(), meter)?,
        };
        found.ok_or_else(|| ImageError::Missing { image: image.to_owned(), digest: of.digest })
    }
}

fn small(image: &str, source: Box<dyn Read + Send>) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let read = source.take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|error| ContainerError::Unavailable {
        place: image.to_owned(),
        problem: format!("the transfer was interrupted: {error}"),
    })?;
    Ok(bytes)
}
