//! Reads and writes container images.
//!
//! An image is a configuration and layers, named by the SHA-256 of its manifest. It is stored in a container
//! registry, in a layout (a directory) or in an archive; whatever was fetched once is kept in the store by its
//! digest. No container engine is involved.
//! Source: OCI image-spec 1.1.
//!
//! | room | does |
//! |---|---|
//! | `digest`, `reference`, `platform` | names of images, and the platforms they are for |
//! | `document` | indexes, manifests and configurations |
//! | `error` | image errors |
//! | `kept` | image data in the store |
//! | `local`, `source` | images in a layout, an archive or a registry |
//! | `place` | all locations of an image, mirrors first |
//! | `images` | getting an image from any location |
//! | `root` | the file system that an image's layers make up |
//! | `run_user` | the user an image runs as, in numbers |
//! | `sbom` | software bills of materials |
//! | `attached` | SBOMs and provenance statements stored with an image |
//! | `whole` | the file system with owners, modes and times |
//! | `named` | images kept under a name |
//! | `layer` | a layer as a file |
//! | `composition`, `compose` | images composed from files |
//! | `send` | writing an image to a registry, a layout or an archive |
//!
//! Modules are declared in this order, and none depends on a later one.

mod digest;
mod reference;
mod platform;
mod document;
mod error;
mod kept;
mod local;
mod source;
mod place;
mod images;
mod root;
mod run_user;
mod sbom;
mod attached;
mod whole;
mod named;
mod layer;
mod composition;
mod compose;
mod send;

pub use attached::Attachment;
pub use compose::{ComposedImage, Ingredients};
pub use composition::{Composition, LayerSource, PackedLayer, PlacedFiles};
pub use digest::{ImageDigest, ParseImageDigestError};
pub use document::{Config, Descriptor, DocumentError, Manifest, Runtime};
pub use error::ImageError;
pub use images::{Image, Images, RunConfig};
pub use layer::{WrittenLayer, layer_meta};
pub use local::file_digest;
pub use place::ImageMirrors;
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ImageReference, LocalForm, ParseReferenceError};
pub use run_user::{RunUser, UnknownRunUser};
pub use sbom::{PlacedPackage, Sbom};
pub use wake_registry::ContainerError;
pub use whole::Declared;
