//! Reads and writes container images.
//!
//! An image is a configuration and layers, named by the SHA-256 of its manifest. It lies in a registry of containers, in a layout
//! (a directory), or in an archive; what was had once is kept in the store by its digest. No engine of containers takes part.
//! Source: OCI image-spec 1.1.
//!
//! | room | does |
//! |---|---|
//! | `digest`, `reference`, `platform` | names of images, and for which machines they are |
//! | `document` | indexes, manifests and configurations |
//! | `error` | what can be wrong with an image |
//! | `kept` | bytes of images that the store has |
//! | `local`, `source` | images as they lie in a layout, an archive or a registry |
//! | `place` | everywhere that an image may be, mirrors first |
//! | `images` | an image, had from wherever it is |
//! | `root` | the file system that an image's layers make |
//! | `run_user` | as whom an image is run, in numbers |
//! | `sbom` | what an image consists of |
//! | `attached` | what lies beside an image: what it consists of, where it comes from |
//! | `whole` | the same with owners, modes and times |
//! | `named` | images that wake keeps under a name |
//! | `layer` | a layer as a file |
//! | `composition`, `compose` | an image that is put together of files |
//! | `send` | an image, given to a registry or written into a layout or an archive |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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
