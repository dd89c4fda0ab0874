//! Gets images from any location.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wake_model::BlobDigest;
use wake_store::Store;
use wake_store::ware::{Meter, Web};

use crate::digest::ImageDigest;
use crate::document::{Config, Descriptor, Document, DocumentError, LARGEST, Manifest, Runtime};
use crate::error::ImageError;
use crate::kept::Kept;
use crate::place::{ImageMirrors, Opener, Place};
use crate::platform::Platform;
use crate::reference::ImageReference;

/// How many layers are fetched at once.
const AT_ONCE: usize = 4;

/// Images from other machines and this one, kept in one store.
#[derive(Debug)]
pub struct Images<'s> {
    pub(crate) store: &'s Store,
    web: Web,
    pub(crate) meter: &'s Meter,
    mirrors: Arc<ImageMirrors>,
}

/// An image for one platform: its manifest and configuration. Its layers may not have been fetched yet.
#[derive(Debug)]
pub struct Image {
    /// The reference as written.
    pub name: String,
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its configuration.
    pub config: Config,
    /// The bytes of its manifest.
    pub manifest_bytes: Vec<u8>,
    /// The bytes of its configuration.
    pub config_bytes: Vec<u8>,
    pub(crate) place: Place,
}

/// The run settings of an image, without its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunConfig {
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// The platform it is for.
    pub platform: Platform,
    /// Its entry point, arguments, variables, working directory and user.
    pub runtime: Runtime,
}

impl<'s> Images<'s> {
    /// Uses `store`, and fetches through `web`; `meter` counts what is read, and may stop it.
    pub fn new(store: &'s Store, web: Web, meter: &'s Meter) -> Images<'s> {
        Images { store, web, meter, mirrors: Arc::default() }
    }

    /// Records faults of mirrors in `mirrors`, and does not use those that are down.
    pub fn noting(self, mirrors: &Arc<ImageMirrors>) -> Images<'s> {
        Images { mirrors: mirrors.clone(), ..self }
    }

    /// The faults of mirrors.
    pub fn mirrors(&self) -> &ImageMirrors {
        &self.mirrors
    }

    /// The connection to other machines.
    pub(crate) fn web(&self) -> &Web {
        &self.web
    }

    /// Resolves a reference to the digest of a manifest, or of an index.
    pub fn resolve(&self, reference: &ImageReference) -> Result<ImageDigest, ImageError> {
        if let Some(digest) = reference.digest() {
            return Ok(*digest);
        }
        let place = Place::new(reference);
        let bytes = self.document(&place, None)?;
        self.keep_small(&reference.to_string(), &bytes)
    }

    /// Returns the image with this digest for `platform`. Data in the store is not fetched again.
    pub fn get(
        &self,
        reference: &ImageReference,
        digest: &ImageDigest,
        platform: &Platform,
    ) -> Result<Image, ImageError> {
        let place = Place::new(reference);
        let name = reference.to_string();
        let wrong = |source| ImageError::Document { image: name.clone(), source };
        let bytes = self.document_kept(&place, digest)?;
        let (digest, bytes, manifest) = match Document::parse(&bytes).map_err(wrong)? {
            Document::Manifest(manifest) => (*digest, bytes, manifest),
            Document::Index(all) => {
                let chosen = chosen(&name, &all, platform)?;
                let bytes = self.document_kept(&place, &chosen.digest)?;
                match Document::parse(&bytes).map_err(wrong)? {
                    Document::Manifest(manifest) => (chosen.digest, bytes, manifest),
                    Document::Index(_) => {
                        let problem = "it is an index nested in an index".to_owned();
                        return Err(wrong(DocumentError::Form { what: "manifest", problem }));
                    }
                }
            }
        };
        let config_bytes = self.small(&place, &manifest.config)?;
        let config = Config::parse(&config_bytes, manifest.layers.len()).map_err(wrong)?;
        if !config.platform.runs_on(platform) {
            let (wanted, has) = (platform.clone(), vec![config.platform]);
            return Err(ImageError::Platform { image: name, wanted, has });
        }
        Ok(Image {
            name,
            digest,
            manifest: *manifest,
            config,
            manifest_bytes: bytes,
            config_bytes,
            place,
        })
    }

    /// Returns the run settings and the digest of an image. Only its manifest and configuration are fetched.
    pub fn run_config(
        &self,
        reference: &ImageReference,
        platform: &Platform,
    ) -> Result<RunConfig, ImageError> {
        let digest = self.resolve(reference)?;
        let image = self.get(reference, &digest, platform)?;
        let Config { platform, config, .. } = image.config;
        Ok(RunConfig { digest: image.digest, platform, runtime: config })
    }

    /// Fetches all layers of an image into the store, several at once.
    pub fn bring(&self, image: &Image) -> Result<(), ImageError> {
        let kept = Kept::new(self.store);
        let missing: Vec<&Descriptor> =
            image.manifest.layers.iter().filter(|layer| !kept.has(&layer.digest)).collect();
        let fetch = |layer: &Descriptor| {
            image.place.ask(self.opener(), |source| {
                kept.put(&image.name, layer, &mut source.bytes(&image.name, layer, self.meter)?)
            })
        };
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(layer) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                fetch(layer)?;
            }
            Ok(())
        };
        // Separate threads: a build thread that waits for the network must not pick up other work.
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..missing.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
            let ends = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            // Waits for all of them.
            ends.collect::<Vec<Result<(), ImageError>>>().into_iter().collect()
        })
    }

    /// Returns an image whose manifest and configuration are in the store.
    pub fn kept(&self, digest: &ImageDigest) -> Result<Image, ImageError> {
        let name = digest.to_string();
        let kept = Kept::new(self.store);
        let offline = || ImageError::Offline { image: name.clone() };
        let wrong = |source| ImageError::Document { image: name.clone(), source };
        let bytes = kept.bytes(digest).ok_or_else(offline)?;
        let Document::Manifest(manifest) = Document::parse(&bytes).map_err(wrong)? else {
            return Err(offline());
        };
        let config_bytes = kept.bytes(&manifest.config.digest).ok_or_else(offline)?;
        let config = Config::parse(&config_bytes, manifest.layers.len()).map_err(wrong)?;
        let place = Place::new(&ImageReference::nowhere(*digest));
        let digest = *digest;
        Ok(Image {
            name,
            digest,
            manifest: *manifest,
            config,
            manifest_bytes: bytes,
            config_bytes,
            place,
        })
    }

    /// The path of a packed layer in the store, and its digest there.
    pub(crate) fn kept_layer(
        &self,
        image: &Image,
        layer: &Descriptor,
    ) -> Result<(PathBuf, BlobDigest), ImageError> {
        Kept::new(self.store)
            .found(&layer.digest)
            .ok_or_else(|| ImageError::Missing { image: image.name.clone(), digest: layer.digest })
    }

    /// A manifest or an index, from the store or its location.
    fn document_kept(&self, place: &Place, digest: &ImageDigest) -> Result<Vec<u8>, ImageError> {
        if let Some(bytes) = Kept::new(self.store).bytes(digest) {
            return Ok(bytes);
        }
        let bytes = self.document(place, Some(digest))?;
        self.keep_small(&place.reference().to_string(), &bytes)?;
        Ok(bytes)
    }

    fn document(&self, place: &Place, digest: Option<&ImageDigest>) -> Result<Vec<u8>, ImageError> {
        let name = match (place.reference(), digest) {
            (_, Some(_)) => None,
            (ImageReference::Registry { tag, .. }, None) => tag.as_deref(),
            (ImageReference::Local { name, .. }, None) => name.as_deref(),
        };
        let image = place.reference().to_string();
        place.ask(self.opener(), |source| source.document(&image, name, digest, self.meter))
    }

    fn small(&self, place: &Place, of: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let kept = Kept::new(self.store);
        if let Some(bytes) = kept.bytes(&of.digest) {
            return Ok(bytes);
        }
        let image = place.reference().to_string();
        if of.size > LARGEST {
            let (digest, asked) = (of.digest, LARGEST);
            return Err(ImageError::Size { image, digest, asked, came: of.size });
        }
        place.ask(self.opener(), |source| {
            kept.put(&image, of, &mut source.bytes(&image, of, self.meter)?)
        })?;
        kept.bytes(&of.digest).ok_or(ImageError::Missing { image, digest: of.digest })
    }

    fn keep_small(&self, image: &str, bytes: &[u8]) -> Result<ImageDigest, ImageError> {
        let of = Descriptor::of("", bytes);
        Kept::new(self.store).put(image, &of, &mut &*bytes)?;
        Ok(of.digest)
    }

    pub(crate) fn opener(&self) -> Opener<'_> {
        Opener { store: self.store, web: &self.web, meter: self.meter, mirrors: &self.mirrors }
    }
}

/// The first manifest of an index that is for a platform. Source: image-spec 1.1, "Image Index".
fn chosen<'i>(
    image: &str,
    all: &'i [Descriptor],
    platform: &Platform,
) -> Result<&'i Descriptor, ImageError> {
    let is_for = |one: &&Descriptor| one.platform.as_ref().is_some_and(|its| its.runs_on(platform));
    // An index of one image may omit the platform.
    let only = || match all {
        [one] if one.platform.is_none() => Some(one),
        _ => None,
    };
    all.iter().find(is_for).or_else(only).ok_or_else(|| ImageError::Platform {
        image: image.to_owned(),
        wanted: platform.clone(),
        has: all.iter().filter_map(|one| one.platform.clone()).collect(),
    })
}
