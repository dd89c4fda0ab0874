//! An image, had from wherever it is.

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

/// Layers that are fetched at once, at most.
const AT_ONCE: usize = 4;

/// Images of other machines and of this one, as one store keeps them.
#[derive(Debug)]
pub struct Images<'s> {
    pub(crate) store: &'s Store,
    web: Web,
    pub(crate) meter: &'s Meter,
    mirrors: Arc<ImageMirrors>,
}

/// An image for one platform: its manifest and its configuration. Its layers may be elsewhere still.
#[derive(Debug)]
pub struct Image {
    /// What a person called it.
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

/// How an image is run, of which only that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunConfig {
    /// The digest of its manifest.
    pub digest: ImageDigest,
    /// For which machines it is.
    pub platform: Platform,
    /// Its program, arguments, variables, working directory and user.
    pub runtime: Runtime,
}

impl<'s> Images<'s> {
    /// Images as `store` keeps them, asked for by `web`; `meter` counts what is read, and may stop it.
    pub fn new(store: &'s Store, web: Web, meter: &'s Meter) -> Images<'s> {
        Images { store, web, meter, mirrors: Arc::default() }
    }

    /// The same, which notes in `mirrors` what is wrong with mirrors, and asks nothing of those that are down.
    pub fn noting(self, mirrors: &Arc<ImageMirrors>) -> Images<'s> {
        Images { mirrors: mirrors.clone(), ..self }
    }

    /// What was wrong with mirrors.
    pub fn mirrors(&self) -> &ImageMirrors {
        &self.mirrors
    }

    /// How other machines are asked.
    pub(crate) fn web(&self) -> &Web {
        &self.web
    }

    /// The digest of what a name leads to now: a manifest, or an index of several.
    pub fn resolve(&self, reference: &ImageReference) -> Result<ImageDigest, ImageError> {
        if let Some(digest) = reference.digest() {
            return Ok(*digest);
        }
        let place = Place::new(reference);
        let bytes = self.document(&place, None)?;
        self.keep_small(&reference.to_string(), &bytes)
    }

    /// The image for `platform` of what has this digest. What the store has is not asked for again.
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
                        let problem = "it is an index in an index".to_owned();
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

    /// How an image is run, and which one that is: of all that belongs to it, only its manifest and its configuration are fetched.
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

    /// Has the store have every layer of an image, several fetched at once.
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
        // Threads of its own: who waits for a network must not do other things of a build meanwhile.
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..missing.len().min(AT_ONCE)).map(|_| scope.spawn(work)).collect();
            let ends = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            // All of them are waited for.
            ends.collect::<Vec<Result<(), ImageError>>>().into_iter().collect()
        })
    }

    /// An image whose manifest and configuration the store has.
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

    /// Where the packed bytes of a layer lie in the store, and what they are called there.
    pub(crate) fn kept_layer(
        &self,
        image: &Image,
        layer: &Descriptor,
    ) -> Result<(PathBuf, BlobDigest), ImageError> {
        Kept::new(self.store)
            .found(&layer.digest)
            .ok_or_else(|| ImageError::Missing { image: image.name.clone(), digest: layer.digest })
    }

    /// A manifest or an index from the store, or from where it is.
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
    // An index of one image may leave out for which machines it is.
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
