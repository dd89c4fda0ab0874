//! What can be wrong with an image.

use std::io;
use std::path::{Path, PathBuf};

use wake_registry::ContainerError;
use wake_store::ware::{BareTarError, ExtractError, UnpackError};
use wake_store::{BuildTreeError, ReadArchiveError, StoreError};

use crate::digest::ImageDigest;
use crate::document::DocumentError;
use crate::platform::Platform;
use crate::reference::ParseReferenceError;

/// An image was not had, or not made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A text names no image.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    /// A registry of containers did not give or take what it should.
    #[error("{0}")]
    Registry(#[from] ContainerError),
    /// There is no image of this name.
    #[error("there is no image `{image}`{}", names(has))]
    NotThere {
        /// Its name.
        image: String,
        /// What there is in the same layout or archive.
        has: Vec<String>,
    },
    /// A layout or an archive has several images, and none was named.
    #[error("`{image}` has several images{}", names(has))]
    Several {
        /// The layout or the archive.
        image: String,
        /// What they are called.
        has: Vec<String>,
    },
    /// Its manifest or its configuration makes no sense.
    #[error("image `{image}`: {source}")]
    Document {
        /// The image.
        image: String,
        /// What is wrong.
        source: DocumentError,
    },
    /// It is not for this machine.
    #[error("image `{image}` is for {}, and not for {wanted}", list(has))]
    Platform {
        /// The image.
        image: String,
        /// What was asked for.
        wanted: Platform,
        /// What it is for.
        has: Vec<Platform>,
    },
    /// Bytes are others than their digest says.
    #[error("image `{image}`: {asked} was asked for, and {came} came")]
    Digest {
        /// The image.
        image: String,
        /// What was asked for.
        asked: ImageDigest,
        /// What came.
        came: ImageDigest,
    },
    /// Bytes are more or less than their descriptor says.
    #[error("image `{image}`: {digest} has {came} byte{}, and its manifest says {asked}", if *.came == 1 { "" } else { "s" })]
    Size {
        /// The image.
        image: String,
        /// Which bytes.
        digest: ImageDigest,
        /// What the manifest says.
        asked: u64,
        /// What came, at least.
        came: u64,
    },
    /// Bytes that a manifest names are not there.
    #[error("image `{image}`: {digest}, which its manifest names, is not there")]
    Missing {
        /// The image.
        image: String,
        /// Which bytes.
        digest: ImageDigest,
    },
    /// A layer is none.
    #[error("image `{image}`: layer {layer}: {source}")]
    Layer {
        /// The image.
        image: String,
        /// The layer.
        layer: ImageDigest,
        /// What is wrong with it.
        source: ExtractError,
    },
    /// A layer unpacks to something else than the configuration says.
    #[error("image `{image}`: layer {layer} holds {came}, and its configuration says {asked}")]
    Unpacked {
        /// The image.
        image: String,
        /// The layer.
        layer: ImageDigest,
        /// What the configuration says.
        asked: ImageDigest,
        /// What is in it.
        came: ImageDigest,
    },
    /// The disk of the store is full.
    #[error("image `{image}`: there is no room in the store to {what} {digest}")]
    NoRoom {
        /// The image.
        image: String,
        /// `keep` or `unpack`.
        what: &'static str,
        /// Which bytes.
        digest: ImageDigest,
    },
    /// Its files were not unpacked.
    #[error("image `{image}`: {source}")]
    Unpack {
        /// The image.
        image: String,
        /// What is wrong.
        source: Box<UnpackError>,
    },
    /// A layout or an archive cannot be read as one.
    #[error("`{}` is no {what}: {problem}", path.display())]
    Form {
        /// The directory or file.
        path: PathBuf,
        /// What it was to be.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing where files of an image are to be.
    #[error("there is nothing at `{path}` among the inputs")]
    NoFiles {
        /// Where.
        path: String,
    },
    /// Something cannot lie where it is to lie in an image.
    #[error("`{path}` cannot be put into an image: {problem}")]
    Place {
        /// Where.
        path: String,
        /// Why not.
        problem: String,
    },
    /// A layer was not written.
    #[error(transparent)]
    Write(#[from] BareTarError),
    /// The tree of a layout was not made.
    #[error(transparent)]
    Build(BuildTreeError),
    /// An image can only be written in another form.
    #[error("`{0}` cannot be written: a layout, `oci:DIR`, an archive, or a registry can")]
    ReadOnly(String),
    /// Nothing may be asked, and the store lacks it.
    #[error("image `{image}` is not in the store, and nothing may be asked")]
    Offline {
        /// The image.
        image: String,
    },
    /// The tree of its files was not taken.
    #[error(transparent)]
    Tree(#[from] ReadArchiveError),
    /// A file of this machine failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Gives a failed system call the path that it failed on.
pub(crate) fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, ImageError> {
    result.map_err(|source| ImageError::Io { path: path.to_owned(), source })
}

fn names(has: &[String]) -> String {
    match has {
        [] => String::new(),
        some => {
            let some: Vec<String> = some.iter().map(|name| format!("`{name}`")).collect();
            format!(": there are {}", some.join(", "))
        }
    }
}

fn list(has: &[Platform]) -> String {
    match has {
        [] => "no machine".to_owned(),
        some => some.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}
