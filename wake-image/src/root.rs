//! The file system that an image's layers make up.

use std::collections::BTreeMap;
use std::io;

use wake_model::TreeDigest;
use wake_model::encode::{Domain, digest_of};
use wake_store::ware::{ArchivePolicy, EntryPath, ExtractError, LayeredNode, LayeredTree, Layers};
use wake_store::{ReadArchiveError, StoreError};

use crate::digest::ImageDigest;
use crate::error::ImageError;
use crate::images::{Image, Images};
use crate::kept::Kept;

impl Images<'_> {
    /// Returns the tree of an image's files, in the store: contents, executable bits and links. It does not include
    /// owners, modes and devices.
    ///
    /// If the tree is already in the store, this costs one lookup.
    pub fn tree(&self, image: &Image) -> Result<TreeDigest, ImageError> {
        let key = digest_of(Domain::Record, |encoder| {
            encoder.list(3);
            encoder.text("image");
            encoder.text("tree");
            encoder.text(&image.digest.to_string());
        });
        let known = self.store.memo().get(&key).and_then(|bytes| bytes.try_into().ok());
        let known = known.map(|bytes| TreeDigest(wake_model::Digest::from_bytes(bytes)));
        if let Some(tree) = known
            && self.store.tree(&tree)?.hit().is_some()
        {
            return Ok(tree);
        }
        let scratch = self.store.scratch()?;
        let LayeredTree { root, .. } = self.laid(image, scratch.path())?;
        let tree = self.store.take_tree(&root).map_err(|error| match error {
            ReadArchiveError::Store(StoreError::DiskFull { .. }) => no_room(image, &image.digest),
            error => error.into(),
        })?;
        self.store.memo().put(key, tree.0.as_bytes().to_vec());
        Ok(tree)
    }

    /// Returns everything in an image, with owners, modes and times.
    pub fn nodes(&self, image: &Image) -> Result<BTreeMap<EntryPath, LayeredNode>, ImageError> {
        let scratch = self.store.scratch()?;
        Ok(self.laid(image, scratch.path())?.nodes)
    }

    /// Unpacks the layers of an image on top of each other below `stage`, and compares each with its digest in the
    /// configuration.
    pub(crate) fn laid(
        &self,
        image: &Image,
        stage: &std::path::Path,
    ) -> Result<LayeredTree, ImageError> {
        self.bring(image)?;
        let mut layers = Layers::new(stage, ArchivePolicy::IMAGE, self.meter);
        self.lay(image, &mut layers)?;
        layers.finish().map_err(|error| unlaid(image, &image.digest, error))
    }

    /// The same for `layers`; the packed layers must be in the store.
    pub(crate) fn lay(&self, image: &Image, layers: &mut Layers<'_>) -> Result<(), ImageError> {
        let kept = Kept::new(self.store);
        let called = image.config.rootfs.diff_ids.iter();
        for (layer, asked) in image.manifest.layers.iter().zip(called) {
            let layer = layer.digest;
            let Some(file) = kept.open(&layer) else {
                return Err(ImageError::Missing { image: image.name.clone(), digest: layer });
            };
            let came = layers.lay(file).map_err(|source| unlaid(image, &layer, source))?;
            let came: ImageDigest = format!("sha256:{came}").parse().unwrap_or(layer);
            if came != *asked {
                // It may have been altered in the store.
                kept.forget(&layer);
                let image = image.name.clone();
                return Err(ImageError::Unpacked { image, layer, asked: *asked, came });
            }
        }
        Ok(())
    }
}

/// The error for a layer, or the tree of all layers, that could not be unpacked.
pub(crate) fn unlaid(image: &Image, layer: &ImageDigest, source: ExtractError) -> ImageError {
    match source {
        ExtractError::Cancelled => ImageError::Cancelled,
        ExtractError::Write { source, .. } if is_full(&source) => no_room(image, layer),
        source => ImageError::Layer { image: image.name.clone(), layer: *layer, source },
    }
}

/// Whether the disk is full or a quota is exceeded.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

pub(crate) fn no_room(image: &Image, digest: &ImageDigest) -> ImageError {
    ImageError::NoRoom { image: image.name.clone(), what: "unpack", digest: *digest }
}
