//! Image errors.

use std::io;
use std::path::{Path, PathBuf};

use wake_registry::ContainerError;
use wake_store::ware::{BareTarError, ExtractError, UnpackError};
use wake_store::{BuildTreeError, ReadArchiveError, StoreError};

use crate::digest::ImageDigest;
use crate::document::DocumentError;
use crate::platform::Platform;
use crate::reference::ParseReferenceError;

/// An image could not be read or created.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The name of the image is invalid.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    /// A container registry failed.
    #[error("{0}")]
    Registry(#[from] ContainerError),
    /// The image does not exist.
    #[error("there is no image `{image}`{}", names(has))]
    NotThere {
        /// Its name.
        image: String,
        /// The images in the same layout or archive.
        has: Vec<String>,
    },
    /// A layout or an archive contains several images, and none was named.
    #[error("`{image}` contains several images{}", names(has))]
    Several {
        /// The layout or the archive.
        image: String,
        /// Their names.
        has: Vec<String>,
    },
    /// Its manifest or configuration is invalid.
    #[error("image `{image}`: {source}")]
    Document {
        /// The image.
        image: String,
        /// What is wrong.
        source: DocumentError,
    },
    /// It is not for the wanted platform.
    #[error("image `{image}` is for {}, not for {wanted}", list(has))]
    Platform {
        /// The image.
        image: String,
        /// The wanted platform.
        wanted: Platform,
        /// The platforms it is for.
        has: Vec<Platform>,
    },
    /// The data does not match its digest.
    #[error("image `{image}`: expected {asked}, got {came}")]
    Digest {
        /// The image.
        image: String,
        /// The expected digest.
        asked: ImageDigest,
        /// The digest of the data.
        came: ImageDigest,
    },
    /// The data does not have the size that its descriptor says.
    #[error("image `{image}`: {digest} has {came} byte{}, but its manifest says {asked}", if *.came == 1 { "" } else { "s" })]
    Size {
        /// The image.
        image: String,
        /// The digest of the data.
        digest: ImageDigest,
        /// The size in the manifest.
        asked: u64,
        /// The actual size, at least.
        came: u64,
    },
    /// A blob that the manifest refers to is missing.
    #[error("image `{image}`: its manifest refers to {digest}, which is missing")]
    Missing {
        /// The image.
        image: String,
        /// The digest of the blob.
        digest: ImageDigest,
    },
    /// A layer is invalid.
    #[error("image `{image}`: layer {layer}: {source}")]
    Layer {
        /// The image.
        image: String,
        /// The layer.
        layer: ImageDigest,
        /// What is wrong with it.
        source: ExtractError,
    },
    /// A layer does not unpack to what the configuration says.
    #[error("image `{image}`: layer {layer} contains {came}, but its configuration says {asked}")]
    Unpacked {
        /// The image.
        image: String,
        /// The layer.
        layer: ImageDigest,
        /// The digest in the configuration.
        asked: ImageDigest,
        /// The digest of its contents.
        came: ImageDigest,
    },
    /// The disk of the store is full.
    #[error("image `{image}`: there is not enough space in the store to {what} {digest}")]
    NoRoom {
        /// The image.
        image: String,
        /// `keep` or `unpack`.
        what: &'static str,
        /// The digest of the data.
        digest: ImageDigest,
    },
    /// Its files could not be unpacked.
    #[error("image `{image}`: {source}")]
    Unpack {
        /// The image.
        image: String,
        /// What is wrong.
        source: Box<UnpackError>,
    },
    /// A layout or an archive is invalid.
    #[error("`{}` is not an {what}: {problem}", path.display())]
    Form {
        /// The directory or file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The inputs have no files at a path.
    #[error("the inputs have nothing at `{path}`")]
    NoFiles {
        /// The path.
        path: String,
    },
    /// Something cannot be placed at a path in the image.
    #[error("`{path}` cannot be placed in the image: {problem}")]
    Place {
        /// The path.
        path: String,
        /// Why not.
        problem: String,
    },
    /// A layer could not be written.
    #[error(transparent)]
    Write(#[from] BareTarError),
    /// The tree of a layout could not be created.
    #[error(transparent)]
    Build(BuildTreeError),
    /// The destination of an image cannot be written.
    #[error(
        "`{0}` cannot be written to: name a layout, such as `oci:DIR`, an archive, or a registry, without a digest"
    )]
    ReadOnly(String),
    /// The image is not in the store, and the network may not be used.
    #[error("image `{image}` is not in the store, and the network may not be used")]
    Offline {
        /// The image.
        image: String,
    },
    /// The tree of its files could not be added to the store.
    #[error(transparent)]
    Tree(#[from] ReadArchiveError),
    /// An I/O error.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The underlying error.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Adds the path to a failed system call.
pub(crate) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, ImageError> {
    result.map_err(|source| ImageError::Io { path: path.to_owned(), source })
}

fn names(has: &[String]) -> String {
    match has {
        [] => String::new(),
        some => {
            let some: Vec<String> = some.iter().map(|name| format!("`{name}`")).collect();
            format!(" (available: {})", some.join(", "))
        }
    }
}

fn list(has: &[Platform]) -> String {
    match has {
        [] => "no platform".to_owned(),
        some => some.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}
