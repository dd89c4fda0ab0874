//! The manifests of packages in a container registry. Source: `spec/packages.md`; image-spec 1.1, "Image Manifest".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wake_model::{Release, json as canonical_json};

use crate::event::ArchiveSum;

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const PACKAGE: &str = "application/vnd.wake.package.v1";
const METADATA: &str = "application/vnd.wake.package.metadata.v1+json";
const ARCHIVE: &str = "application/vnd.wake.package.archive.v1.tar+zstd";
const STATEMENT: &str = "application/vnd.wake.statement.v1";
const EVENT: &str = "application/vnd.wake.statement.event.v1+json";
/// The media type of layers, and the artifact type of manifests, that hold attestations.
pub(super) const ATTESTATIONS: &str = "application/vnd.in-toto.provenance+dsse";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The contents of an empty blob.
pub(super) const NOTHING: &[u8] = b"{}";

/// The parts of a manifest that wake uses.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
    /// Digest and size of the manifest itself.
    #[serde(skip)]
    pub(super) own: Own,
}

/// Digest and size of a manifest.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) digest: String,
    pub(super) size: u64,
}

/// A descriptor: refers to a blob, which may be embedded.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    data: Option<String>,
}

impl Manifest {
    pub(super) fn is_package(&self) -> bool {
        self.config.media_type == METADATA
    }

    pub(super) fn is_statement(&self) -> bool {
        self.config.media_type == EVENT
    }

    /// The archive of a package.
    pub(super) fn archive(&self) -> Option<&Descriptor> {
        self.layers.iter().find(|layer| layer.media_type == ARCHIVE)
    }

    /// The attestations of its publisher or of a referrer.
    pub(super) fn attestations(&self) -> Option<&Descriptor> {
        self.layers.iter().find(|layer| layer.media_type == ATTESTATIONS)
    }
}

impl Descriptor {
    /// The bytes, if they are embedded in the manifest.
    pub(super) fn embedded(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.data.as_ref()?).ok()
    }

    /// Whether these are the bytes it describes.
    pub(super) fn is(&self, bytes: &[u8]) -> bool {
        self.digest == digest(bytes)
    }

    /// SHA-256 of the bytes, as hexadecimal digits; `None` if the digest uses another algorithm.
    pub(super) fn sha256(&self) -> Option<&str> {
        let digits = self.digest.strip_prefix("sha256:")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (digits.len() == 64 && digits.bytes().all(is_digit)).then_some(digits)
    }
}

/// The digest of bytes: `sha256:` and hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The manifest of a version. It depends only on the metadata, the archive's bytes and the publisher's signature.
pub(super) fn package(
    release: &Release,
    archive: &ArchiveSum,
    attestation: Option<&str>,
) -> String {
    let mut annotations = json!({
        "org.opencontainers.image.title": release.pkg_name().to_string(),
        "org.opencontainers.image.version": release.version,
        "vnd.wake.content": release.content,
    });
    for (key, value) in [
        ("description", &release.description),
        ("licenses", &release.license),
        ("source", &release.repository),
    ] {
        if let Some(value) = value {
            annotations[format!("org.opencontainers.image.{key}")] = json!(value);
        }
    }
    let layer = json!({
        "digest": format!("sha256:{}", archive.sha256),
        "mediaType": ARCHIVE,
        "size": archive.size,
    });
    let config = described(METADATA, release.text().as_bytes());
    let signed = attestation.map(|line| described(ATTESTATIONS, line.as_bytes()));
    let layers: Vec<Value> = std::iter::once(layer).chain(signed).collect();
    manifest(PACKAGE, &config, &layers, json!({ "annotations": annotations }))
}

/// The manifest of a statement about a version: a line of a log.
pub(super) fn statement(line: &str) -> String {
    let layers = [described(EMPTY, NOTHING)];
    manifest(STATEMENT, &described(EVENT, line.as_bytes()), &layers, json!({}))
}

/// The manifest of somebody else's attestation, which refers to the manifest of the version.
pub(super) fn referrer(line: &str, subject: &Own) -> String {
    let layers = [described(ATTESTATIONS, line.as_bytes())];
    let subject = json!({ "digest": subject.digest, "mediaType": MANIFEST, "size": subject.size });
    manifest(ATTESTATIONS, &described(EMPTY, NOTHING), &layers, json!({ "subject": subject }))
}

fn described(kind: &str, bytes: &[u8]) -> Value {
    json!({
        "data": STANDARD.encode(bytes),
        "digest": digest(bytes),
        "mediaType": kind,
        "size": bytes.len(),
    })
}

fn manifest(kind: &str, config: &Value, layers: &[Value], more: Value) -> String {
    let mut manifest = json!({
        "artifactType": kind,
        "config": config,
        "layers": layers,
        "mediaType": MANIFEST,
        "schemaVersion": 2,
    });
    if let (Value::Object(manifest), Value::Object(more)) = (&mut manifest, more) {
        manifest.extend(more);
    }
    canonical_json::canonical(&manifest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const METADATA_OF_A: &str = "{\"api\":1,\"content\":\"50c464d5e4fb18531ea04c5409eeb85d66d314877723f732a1581830eb8d38e8\",\"files\":0,\"license\":\"MIT\",\"modules\":[],\"name\":\"a\",\"namespace\":\"acme\",\"pkgs\":{},\"size\":0,\"version\":\"1.0.0+b\",\"wake\":1}\n";

    #[test]
    fn a_package_comes_back_as_it_was() {
        let release = Release::parse(METADATA_OF_A).unwrap();
        let archive = ArchiveSum { sha256: "ab".repeat(32), size: 551 };
        let text = package(&release, &archive, None);
        let read: Manifest = serde_json::from_str(&text).unwrap();
        assert!(read.is_package() && !read.is_statement());
        let bytes = read.config.embedded().unwrap();
        assert!(read.config.is(&bytes));
        assert_eq!(bytes, METADATA_OF_A.as_bytes());
        let layer = read.archive().unwrap();
        assert_eq!((layer.sha256(), layer.size), (Some(&*archive.sha256), 551));
        let value: Value = serde_json::from_str(&text).unwrap();
        let annotations = &value["annotations"];
        assert_eq!(annotations["org.opencontainers.image.title"], "acme/a");
        assert_eq!(annotations["org.opencontainers.image.licenses"], "MIT");
        assert!(annotations.get("org.opencontainers.image.source").is_none());
    }

    /// The vectors computed by `spec/reference/wake_encoding.py`.
    #[test]
    fn manifests_are_those_of_the_specification() {
        let text = include_str!("../../../spec/vectors/manifest.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let text = match case.get("release") {
                Some(of) => {
                    let archive = serde_json::from_value(case["archive"].clone()).unwrap();
                    package(
                        &Release::of(of.clone()).unwrap(),
                        &archive,
                        case["attestation"].as_str(),
                    )
                }
                None => {
                    let line = canonical_json::canonical(&case["statement"]);
                    let event = crate::event::Event::parse(&line).unwrap();
                    statement(&event.line().unwrap())
                }
            };
            let name = case["name"].as_str().unwrap();
            assert_eq!(text, case["text"].as_str().unwrap(), "{name}");
            assert_eq!(
                digest(text.as_bytes()),
                format!("sha256:{}", case["sha256"].as_str().unwrap())
            );
        }
    }

    #[test]
    fn bytes_are_named_by_what_they_are() {
        // Source: FIPS 180-2, B.1.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(b"abc"), abc);
        let of = |digest: &str| Descriptor {
            media_type: EVENT.to_owned(),
            digest: digest.to_owned(),
            size: 0,
            data: None,
        };
        assert!(of(abc).is(b"abc") && !of(abc).is(b"abd"));
        assert!(of(abc).sha256().is_some());
        for other in ["sha256:../../x", "sha512:00", "", &abc.to_uppercase()] {
            assert_eq!(of(other).sha256(), None, "{other}");
        }
    }
}
