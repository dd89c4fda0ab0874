//! Indexes, manifests and configurations. Source: OCI image-spec 1.1; Docker's "Image Manifest V 2, Schema 2", which
//! is equivalent.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use wake_model::json as canonical_json;

use crate::digest::ImageDigest;
use crate::platform::Platform;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media types accepted from a registry.
pub(crate) const ACCEPTED: [&str; 4] = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
/// Maximum size of an index, a manifest or a configuration, in bytes.
pub(crate) const LARGEST: u64 = 16 << 20;
/// Maximum number of layers of an image.
const MOST_LAYERS: usize = 1000;

/// A descriptor: refers to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: ImageDigest,
    /// Its size in bytes.
    pub size: u64,
    /// The platform it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The artifact type, if it is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// An image manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Its media type.
    pub media_type: String,
}

/// A manifest, or an index of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    Index(Vec<Descriptor>),
    Manifest(Box<Manifest>),
}

/// The parts of an image configuration that wake uses; the rest is kept in its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Config {
    /// The platform it is for.
    #[serde(flatten)]
    pub platform: Platform,
    /// How the image is run.
    #[serde(default, deserialize_with = "or_default")]
    pub config: Runtime,
    /// The digests of its uncompressed layers.
    pub rootfs: RootLayers,
}

/// How an image is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Runtime {
    /// `USER`, `UID`, `USER:GROUP` or `UID:GID`; empty: root.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=VALUE`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program, with arguments that always come first.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Default arguments, or the whole command if there is no entry point.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The working directory; empty: `/`.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Runtime {
    /// The variables, each with its last value; a line without `=` sets an empty value.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let split = |line: &String| match line.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line.clone(), String::new()),
        };
        self.env.iter().map(split).filter(|(name, _)| !name.is_empty()).collect()
    }

    /// The command for these arguments: the entry point, then the arguments, or `cmd` if there are none.
    pub fn command(&self, args: &[String]) -> Vec<String> {
        let rest = if args.is_empty() { &self.cmd } else { args };
        [self.entrypoint.as_slice(), rest].concat()
    }

    /// The absolute working directory.
    pub fn workdir(&self) -> &str {
        if self.working_dir.is_empty() { "/" } else { &self.working_dir }
    }
}

/// The layers of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RootLayers {
    /// The SHA-256 of each layer's uncompressed bytes, lowest first.
    pub diff_ids: Vec<ImageDigest>,
}

/// Why bytes are not an index, a manifest or a configuration of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, or lacks required fields.
    #[error("it is not an image {what}: {problem}")]
    Form {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it, without any of its contents.
        problem: String,
    },
    /// It is a schema 1 manifest, which refers to no configuration.
    #[error("its manifest has the obsolete schema version 1: the image must be pushed again")]
    Schema1,
    /// It is an artifact other than an image.
    #[error("it is a `{0}`, not an image")]
    Artifact(String),
    /// Configuration and manifest have different numbers of layers.
    #[error("its manifest has {layers} layer{}, but its configuration has {diff_ids}", plural(*.layers))]
    Layers {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
}

/// Treats `null` as absent.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDocument {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Document {
    /// Parses an index or a manifest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Document, DocumentError> {
        let fault = |problem: String| DocumentError::Form { what: "manifest", problem };
        let raw: RawDocument = parsed("manifest", bytes)?;
        if raw.schema_version == 1 {
            return Err(DocumentError::Schema1);
        }
        match raw {
            RawDocument { manifests: Some(_), layers: Some(_), .. } => {
                Err(fault("it is both an index and a manifest".to_owned()))
            }
            RawDocument { manifests: Some(manifests), .. } => Ok(Document::Index(manifests)),
            RawDocument { config: Some(config), layers: Some(layers), media_type, .. } => {
                if !is_config(&config.media_type) {
                    return Err(DocumentError::Artifact(config.media_type));
                }
                if layers.len() > MOST_LAYERS {
                    return Err(fault(format!("it has more than {MOST_LAYERS} layers")));
                }
                let media_type = media_type.unwrap_or_else(|| MANIFEST.to_owned());
                Ok(Document::Manifest(Box::new(Manifest { config, layers, media_type })))
            }
            _ => Err(fault("it has neither layers nor manifests".to_owned())),
        }
    }
}

#[derive(Deserialize)]
struct Referrer {
    subject: Option<Descriptor>,
}

/// The image that a manifest refers to.
pub(crate) fn subject_of(manifest: &[u8]) -> Option<ImageDigest> {
    let referrer: Referrer = parsed("manifest", manifest).ok()?;
    referrer.subject.map(|subject| subject.digest)
}

fn is_config(media_type: &str) -> bool {
    matches!(media_type, CONFIG | "application/vnd.docker.container.image.v1+json")
}

impl Manifest {
    /// The bytes of an image manifest.
    pub(crate) fn bytes(config: &Descriptor, layers: &[Descriptor]) -> Vec<u8> {
        let value = serde_json::json!({
            "config": config,
            "layers": layers,
            "mediaType": MANIFEST,
            "schemaVersion": 2,
        });
        canonical_json::canonical(&value).into_bytes()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl Config {
    /// Parses the configuration of an image with this number of layers.
    pub(crate) fn parse(bytes: &[u8], layers: usize) -> Result<Config, DocumentError> {
        let config: Config = parsed("configuration", bytes)?;
        let diff_ids = config.rootfs.diff_ids.len();
        if diff_ids != layers {
            return Err(DocumentError::Layers { layers, diff_ids });
        }
        Ok(config)
    }
}

impl Descriptor {
    /// Whether it describes an artifact other than an image.
    pub(crate) fn is_artifact(&self) -> bool {
        self.artifact_type.as_deref().is_some_and(|kind| !is_config(kind))
    }

    /// The descriptor of these bytes.
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: ImageDigest::of(bytes),
            size: bytes.len() as u64,
            platform: None,
            annotations: BTreeMap::new(),
            artifact_type: None,
        }
    }
}

/// Parses JSON; the error gives only the position, since the parser's message may quote the contents.
pub(crate) fn parsed<T: for<'de> Deserialize<'de>>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, DocumentError> {
    let text = String::from_utf8_lossy(bytes);
    if serde_json::from_str::<Value>(&text).is_err() {
        return Err(DocumentError::Form { what, problem: "it is not JSON".to_owned() });
    }
    serde_json::from_str(&text).map_err(|error| DocumentError::Form {
        what,
        problem: format!("invalid content at line {}, column {}", error.line(), error.column()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ZERO: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn a_manifest_comes_back_as_it_was() {
        let config = Descriptor::of(CONFIG, b"{}");
        let layers = [Descriptor::of(LAYER, b"layer")];
        let bytes = Manifest::bytes(&config, &layers);
        let Document::Manifest(read) = Document::parse(&bytes).unwrap() else { unreachable!() };
        assert_eq!((read.config, read.layers), (config, layers.to_vec()));
    }

    #[test]
    fn null_counts_as_absent_in_a_document() {
        let text = format!(
            r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":["{ZERO}"]}},
            "config":{{"Env":null,"Cmd":["sh"],"Labels":null,"ExposedPorts":{{"80/tcp":{{}}}}}}}}"#
        );
        let config = Config::parse(text.as_bytes(), 1).unwrap();
        assert_eq!(config.config, Runtime { cmd: vec!["sh".to_owned()], ..Runtime::default() });
        let none = text.replace(r#""config":{"#, r#""config":null,"x":{"#);
        assert_eq!(Config::parse(none.as_bytes(), 1).unwrap().config, Runtime::default());
        assert_eq!(
            Config::parse(text.as_bytes(), 2).unwrap_err().to_string(),
            "its manifest has 2 layers, but its configuration has 1"
        );
    }

    #[test]
    fn an_image_is_run_as_engines_run_it() {
        let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let runtime = Runtime {
            entrypoint: text(&["/bin/tool", "-v"]),
            cmd: text(&["serve"]),
            env: text(&["A=1", "B", "A=2=3", "=x"]),
            ..Runtime::default()
        };
        assert_eq!(runtime.command(&[]), ["/bin/tool", "-v", "serve"]);
        assert_eq!(runtime.command(&text(&["x"])), ["/bin/tool", "-v", "x"]);
        let variables = BTreeMap::from([("A", "2=3"), ("B", "")]);
        let came = runtime.variables();
        let came: BTreeMap<_, _> = came.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(came, variables);
        assert_eq!(runtime.workdir(), "/");
    }

    #[test]
    fn other_documents_are_identified() {
        let message = |text: &str| Document::parse(text.as_bytes()).unwrap_err().to_string();
        let descriptor =
            |kind: &str| format!(r#"{{"mediaType":"{kind}","digest":"{ZERO}","size":0}}"#);
        let helm = "application/vnd.cncf.helm.config.v1+json";
        for (text, problem) in [
            ("<html>".to_owned(), "it is not an image manifest: it is not JSON"),
            ("[]".to_owned(), "it is not an image manifest: invalid content at line 1, column 1"),
            (
                r#"{"schemaVersion":1,"name":"x"}"#.to_owned(),
                "its manifest has the obsolete schema version 1: the image must be pushed again",
            ),
            (
                r#"{"schemaVersion":2}"#.to_owned(),
                "it is not an image manifest: it has neither layers nor manifests",
            ),
            (
                format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, descriptor(helm)),
                "it is a `application/vnd.cncf.helm.config.v1+json`, not an image",
            ),
            (
                format!(
                    r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
                    descriptor(CONFIG),
                    r#"{"mediaType":"x","digest":"md5:secret","size":0}"#
                ),
                "it is not an image manifest: invalid content at line 1, column 254",
            ),
        ] {
            let came = message(&text);
            assert!(!came.contains("secret"), "{came}");
            assert_eq!(came.split(", column").next(), problem.split(", column").next(), "{text}");
        }
    }
}
