//! Data attached to an image, in manifests that refer to it. Source: image-spec 1.1, "subject"; distribution-spec
//! 1.1, "Listing Referrers".

use serde::Deserialize;
use serde_json::json;
use wake_model::json as canonical_json;
use wake_registry::{Attestation, ContainerError};

use crate::digest::ImageDigest;
use crate::document::{Descriptor, LARGEST, MANIFEST, parsed};
use crate::error::ImageError;
use crate::images::{Image, Images};
use crate::kept::Kept;
use crate::sbom::SPDX;
use crate::source::Source;

/// The artifact type of signed statements, the same as for packages.
const STATEMENT: &str = "application/vnd.in-toto.provenance+dsse";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const NOTHING: &[u8] = b"{}";
/// Maximum number of referrers that are read.
pub(crate) const MOST: usize = 64;
/// Maximum size of each attached blob, in bytes.
const LARGEST_PART: u64 = 64 << 20;

/// Something attached to an image: its manifest; the blobs are in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The descriptor of its manifest.
    pub(crate) entry: Descriptor,
    /// The bytes of its manifest.
    pub(crate) manifest: Vec<u8>,
    /// Its blobs.
    pub(crate) parts: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    artifact_type: Option<String>,
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    subject: Option<Descriptor>,
}

impl Attachment {
    /// Whether it is an SBOM.
    pub fn is_sbom(&self) -> bool {
        self.entry.artifact_type.as_deref() == Some(SPDX)
    }

    /// Whether it is a signed statement.
    pub fn is_statement(&self) -> bool {
        self.entry.artifact_type.as_deref() == Some(STATEMENT)
    }

    /// Its artifact type.
    pub fn kind(&self) -> &str {
        self.entry.artifact_type.as_deref().unwrap_or_default()
    }

    fn of(image: ImageDigest, manifest: Vec<u8>) -> Option<Attachment> {
        let referrer: Referrer = parsed("manifest", &manifest).ok()?;
        referrer.subject.filter(|subject| subject.digest == image)?;
        let kind = referrer.artifact_type.unwrap_or(referrer.config.media_type.clone());
        let entry = Descriptor { artifact_type: Some(kind), ..Descriptor::of(MANIFEST, &manifest) };
        let parts = std::iter::once(referrer.config).chain(referrer.layers).collect();
        Some(Attachment { entry, manifest, parts })
    }
}

impl Images<'_> {
    /// Fetches everything that is attached to an image at its location. Invalid attachments are ignored.
    pub fn attached(&self, image: &Image) -> Result<Vec<Attachment>, ImageError> {
        let place = &image.place;
        let entries = place.ask(self.opener(), |source| {
            let found: Vec<Descriptor> = match source {
                Source::Local(local) => local.referring(&image.digest),
                Source::Remote(repository) => {
                    let entries = repository.referring(&image.digest.to_string(), self.meter)?;
                    let descriptor = |entry| serde_json::from_value(entry).ok();
                    entries.into_iter().filter_map(descriptor).collect()
                }
            };
            // Another location may have some.
            match found.is_empty() {
                true => Err(ImageError::NotThere { image: image.name.clone(), has: Vec::new() }),
                false => Ok(found),
            }
        });
        let entries = match entries {
            Ok(entries) => entries,
            // The image itself came from a mirror or from the store.
            Err(
                ImageError::NotThere { .. }
                | ImageError::Offline { .. }
                | ImageError::Registry(ContainerError::Unavailable { .. }),
            ) => Vec::new(),
            Err(error) => return Err(error),
        };
        let kept = Kept::new(self.store);
        let mut attached: Vec<Attachment> = Vec::new();
        for entry in entries.iter().filter(|entry: &&Descriptor| entry.size <= LARGEST).take(MOST) {
            let Some(manifest) = self.referrer(image, entry)? else { continue };
            let Some(found) = Attachment::of(image.digest, manifest) else { continue };
            let mut is_whole = true;
            for part in &found.parts {
                is_whole &= part.size <= LARGEST_PART;
                if is_whole && !kept.has(&part.digest) {
                    let put = place.ask(self.opener(), |source| {
                        kept.put(
                            &image.name,
                            part,
                            &mut source.bytes(&image.name, part, self.meter)?,
                        )
                    });
                    is_whole = unless_wrong(put)?.is_some();
                }
            }
            if is_whole && !attached.contains(&found) {
                attached.push(found);
            }
        }
        Ok(attached)
    }

    /// An SBOM, to be attached to an image.
    pub fn sbom_attachment(&self, image: &Image, text: &str) -> Result<Attachment, ImageError> {
        self.attachment(image, SPDX, text.as_bytes())
    }

    /// A signed statement of one line, to be attached to an image.
    pub fn statement_attachment(
        &self,
        image: &Image,
        line: &str,
    ) -> Result<Attachment, ImageError> {
        self.attachment(image, STATEMENT, line.as_bytes())
    }

    /// The bytes of an attachment's last blob.
    pub fn attachment_bytes(&self, attachment: &Attachment) -> Option<Vec<u8>> {
        Kept::new(self.store).bytes(&attachment.parts.last()?.digest)
    }

    /// The attached statements about an image, each with its signed line.
    pub fn statements(&self, image: &Image, attached: &[Attachment]) -> Vec<(String, Attestation)> {
        let lines = attached.iter().filter(|one| one.is_statement());
        let texts = lines.filter_map(|one| self.attachment_bytes(one));
        let text: Vec<String> =
            texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        let lines = text.iter().flat_map(|text| text.lines());
        let read = |line: &str| Some((line.to_owned(), Attestation::all(line.as_bytes()).pop()?));
        let is_about = |one: &(String, Attestation)| one.1.is_about_image(&image.digest.hex());
        lines.filter_map(read).filter(is_about).collect()
    }

    fn attachment(
        &self,
        image: &Image,
        kind: &str,
        bytes: &[u8],
    ) -> Result<Attachment, ImageError> {
        let kept = Kept::new(self.store);
        let (config, layer) = (Descriptor::of(EMPTY, NOTHING), Descriptor::of(kind, bytes));
        kept.put(&image.name, &config, &mut &*NOTHING)?;
        kept.put(&image.name, &layer, &mut &*bytes)?;
        let subject = Descriptor::of(&image.manifest.media_type, &image.manifest_bytes);
        let manifest = canonical_json::canonical(&json!({
            "artifactType": kind,
            "config": config,
            "layers": [layer],
            "mediaType": MANIFEST,
            "schemaVersion": 2,
            "subject": subject,
        }))
        .into_bytes();
        let artifact_type = Some(kind.to_owned());
        let entry = Descriptor { artifact_type, ..Descriptor::of(MANIFEST, &manifest) };
        Ok(Attachment { entry, manifest, parts: vec![config, layer] })
    }

    fn referrer(&self, image: &Image, entry: &Descriptor) -> Result<Option<Vec<u8>>, ImageError> {
        let kept = Kept::new(self.store);
        if let Some(bytes) = kept.bytes(&entry.digest) {
            return Ok(Some(bytes));
        }
        let asked = image
            .place
            .ask(self.opener(), |source| source.manifest(&image.name, &entry.digest, self.meter));
        let Some(bytes) = unless_wrong(asked)? else { return Ok(None) };
        kept.put(&image.name, &Descriptor::of(MANIFEST, &bytes), &mut &*bytes)?;
        Ok(Some(bytes))
    }
}

/// Attachments may be made by others: a missing or wrong one is not a fault of the image.
fn unless_wrong<T>(result: Result<T, ImageError>) -> Result<Option<T>, ImageError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(
            ImageError::NotThere { .. }
            | ImageError::Missing { .. }
            | ImageError::Digest { .. }
            | ImageError::Size { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}
