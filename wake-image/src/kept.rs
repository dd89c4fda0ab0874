//! Image data in the store: manifests, configurations and packed layers, by SHA-256.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use wake_model::encode::{Domain, digest_of};
use wake_model::{BlobDigest, Digest};
use wake_store::{Store, StoreError};

use crate::digest::ImageDigest;
use crate::document::{Descriptor, LARGEST};
use crate::error::ImageError;

/// The image data in a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'s> {
    store: &'s Store,
}

impl<'s> Kept<'s> {
    pub(crate) fn new(store: &'s Store) -> Kept<'s> {
        Kept { store }
    }

    /// Small data, verified.
    pub(crate) fn bytes(&self, digest: &ImageDigest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(digest)?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        if ImageDigest::of(&bytes) != *digest {
            let _ = self.store.drop_blob(&self.blob(digest)?);
            return None;
        }
        Some(bytes)
    }

    /// Data of any size, unverified.
    pub(crate) fn open(&self, digest: &ImageDigest) -> Option<File> {
        self.store.open_blob(&self.blob(digest)?).ok().flatten()
    }

    /// Its path, and its digest in the store.
    pub(crate) fn found(&self, digest: &ImageDigest) -> Option<(PathBuf, BlobDigest)> {
        let blob = self.blob(digest)?;
        let place = self.store.blob_place(&blob);
        place.is_file().then_some((place, blob))
    }

    /// Whether the data is in the store.
    pub(crate) fn has(&self, digest: &ImageDigest) -> bool {
        self.found(digest).is_some()
    }

    /// Removes data that turned out to be wrong.
    pub(crate) fn forget(&self, digest: &ImageDigest) {
        let _ = self.blob(digest).map(|blob| self.store.drop_blob(&blob));
    }

    /// Stores the data that `source` yields, if it matches `asked`.
    pub(crate) fn put(
        &self,
        image: &str,
        asked: &Descriptor,
        source: &mut dyn Read,
    ) -> Result<(), ImageError> {
        let mut checked = Checked { source, hasher: Sha256::new(), size: 0, asked, fault: None };
        let kept = self.store.put_blob_from(&mut checked);
        if let Some(fault) = checked.fault.take() {
            return Err(fault.of(image, asked));
        }
        let (blob, _) = kept.map_err(|error| match error {
            // Does not show the exact path in the store.
            StoreError::DiskFull { .. } => {
                ImageError::NoRoom { image: image.to_owned(), what: "keep", digest: asked.digest }
            }
            error => error.into(),
        })?;
        self.store.memo().put(key(&asked.digest), blob.0.as_bytes().to_vec());
        Ok(())
    }

    fn blob(&self, digest: &ImageDigest) -> Option<BlobDigest> {
        let bytes = self.store.memo().get(&key(digest))?;
        Some(BlobDigest(Digest::from_bytes(bytes.try_into().ok()?)))
    }
}

/// The memo key for the digest that data has in the store. Source: `spec/store-layout.md`, the memo.
fn key(digest: &ImageDigest) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(3);
        encoder.text("image");
        encoder.text("bytes");
        encoder.text(&digest.to_string());
    })
}

/// A reader that verifies size and digest.
struct Checked<'a> {
    source: &'a mut dyn Read,
    hasher: Sha256,
    size: u64,
    asked: &'a Descriptor,
    fault: Option<Fault>,
}

enum Fault {
    Size(u64),
    Digest(ImageDigest),
    Broken(io::Error),
}

impl Fault {
    fn of(self, image: &str, asked: &Descriptor) -> ImageError {
        let (image, digest) = (image.to_owned(), asked.digest);
        match self {
            Fault::Size(came) => ImageError::Size { image, digest, asked: asked.size, came },
            Fault::Digest(came) => ImageError::Digest { image, asked: digest, came },
            Fault::Broken(error) => {
                let problem = format!("the transfer of {digest} was interrupted: {error}");
                ImageError::Registry(wake_registry::ContainerError::Unavailable {
                    place: image,
                    problem,
                })
            }
        }
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stop = |fault: &mut Option<Fault>, with| {
            *fault = Some(with);
            Err(io::ErrorKind::InvalidData.into())
        };
        match self.source.read(buffer) {
            Ok(0) if self.size != self.asked.size => stop(&mut self.fault, Fault::Size(self.size)),
            Ok(0) => {
                let came = ImageDigest::finished(self.hasher.clone());
                match came == self.asked.digest {
                    true => Ok(0),
                    false => stop(&mut self.fault, Fault::Digest(came)),
                }
            }
            Ok(count) => {
                self.size += count as u64;
                self.hasher.update(&buffer[..count]);
                match self.size > self.asked.size {
                    true => stop(&mut self.fault, Fault::Size(self.size)),
                    false => Ok(count),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => stop(&mut self.fault, Fault::Broken(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_requested_content_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let kept = Kept::new(&store);
        let asked = Descriptor::of("x", b"layer");
        for (came, problem) in [
            (
                &b"later"[..],
                format!("image `i`: expected {}, got {}", asked.digest, ImageDigest::of(b"later")),
            ),
            (
                &b"lay"[..],
                format!("image `i`: {} has 3 bytes, but its manifest says 5", asked.digest),
            ),
            (
                &b"layers"[..],
                format!("image `i`: {} has 6 bytes, but its manifest says 5", asked.digest),
            ),
        ] {
            let error = kept.put("i", &asked, &mut &*came).unwrap_err();
            assert_eq!(error.to_string(), problem);
            assert!(kept.bytes(&asked.digest).is_none());
        }
        kept.put("i", &asked, &mut &b"layer"[..]).unwrap();
        assert_eq!(kept.bytes(&asked.digest).unwrap(), b"layer");
        // Data that was altered in the store no longer counts as present.
        let place = kept.found(&asked.digest).unwrap().0;
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, b"later").unwrap();
        assert!(kept.bytes(&asked.digest).is_none() && !kept.has(&asked.digest));
    }
}
