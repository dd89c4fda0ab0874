//! Attestations: signed statements about the content of a version. Source: in-toto Attestation Framework 1.0; SLSA
//! Provenance 1.0.

use serde_json::{Value, json};
use wake_model::json::canonical;
use wake_model::{Release, TreeDigest};

use crate::envelope::Envelope;
use crate::key::SecretKey;

/// The payload type of a signed statement.
const STATEMENT: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// The build type of a published package: a run of `wake publish`, in its first form.
const BUILD_TYPE: &str = "urn:wake:publish:1";
/// The build type of an image: a module that was built.
const IMAGE_BUILD_TYPE: &str = "urn:wake:image:1";
/// The builder: the machine of the signer.
const BUILDER: &str = "urn:wake:publisher";
/// The digest name of trees in statements.
const TREE: &str = "wakeTree1";
/// The digest name of actions in statements.
const ACTION: &str = "wakeAction3";
/// Maximum number of steps listed individually, since an OCI manifest has to hold them.
const MOST_STEPS: usize = 256;

/// The provenance of a version, as its publisher saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The version of wake.
    pub wake: String,
    /// The sandbox level.
    pub sandbox: String,
    /// Whether every module was built from the published archive.
    pub verified: bool,
    /// Files that were published although they look like secrets.
    pub allowed_secrets: Vec<String>,
    /// The state of its sources, if known.
    pub source: Option<Source>,
    /// Packages that its modules were built with, as `NAMESPACE/NAME@VERSION`, and their content.
    pub materials: Vec<(String, TreeDigest)>,
    /// The steps that were run to verify it.
    pub steps: Vec<StepRun>,
}

/// A source revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The commit.
    pub commit: String,
    /// Whether files differed from it.
    pub dirty: bool,
}

/// A step that was run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepRun {
    /// Its label.
    pub label: String,
    /// The digest of its action.
    pub action: String,
    /// The digest of its outputs.
    pub outputs: Option<String>,
}

/// The provenance of an image, as whoever distributes it saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageProvenance {
    /// The version of wake.
    pub wake: String,
    /// The sandbox level.
    pub sandbox: String,
    /// The module that builds it.
    pub module: String,
    /// The base image: its name, and the SHA-256 of its manifest.
    pub base: Option<(String, String)>,
    /// The state of its sources, if known.
    pub source: Option<Source>,
    /// Packages whose modules it was made of, as `NAMESPACE/NAME@VERSION`, and their content.
    pub materials: Vec<(String, TreeDigest)>,
    /// The steps that built it.
    pub steps: Vec<StepRun>,
}

impl Provenance {
    /// Returns the provenance statement of `release`, as canonical JSON. It is deterministic.
    pub fn statement(&self, release: &Release) -> String {
        let (pkg, version) = (release.pkg_name(), &release.version);
        let source = self.source.as_ref().map(|source| source.dependency(&release.repository));
        let dependencies: Vec<Value> =
            source.into_iter().chain(materials(&self.materials)).collect();
        statement(&Said {
            build_type: BUILD_TYPE,
            parameters: json!({
                "allowedSecrets": self.allowed_secrets,
                "package": pkg.to_string(),
                "verified": self.verified,
                "version": version,
            }),
            sandbox: &self.sandbox,
            steps: &self.steps,
            dependencies,
            wake: &self.wake,
            subject: json!({ "digest": { TREE: release.content }, "name": format!("{pkg}@{version}") }),
        })
    }

    /// The same statement, signed: a line of an attestations file.
    pub fn sign(&self, release: &Release, key: &SecretKey) -> String {
        Envelope::sign(STATEMENT, self.statement(release).into_bytes(), key).line()
    }
}

impl ImageProvenance {
    /// Returns the provenance statement of the image whose manifest has this SHA-256, as canonical JSON. It is
    /// deterministic.
    pub fn statement(&self, name: &str, sha256: &str) -> String {
        let base = self
            .base
            .iter()
            .map(|(name, sha256)| json!({ "digest": { "sha256": sha256 }, "name": name }));
        let source = self.source.as_ref().map(|source| source.dependency(&None));
        let dependencies = source.into_iter().chain(base).chain(materials(&self.materials));
        statement(&Said {
            build_type: IMAGE_BUILD_TYPE,
            parameters: json!({ "module": self.module }),
            sandbox: &self.sandbox,
            steps: &self.steps,
            dependencies: dependencies.collect(),
            wake: &self.wake,
            subject: json!({ "digest": { "sha256": sha256 }, "name": name }),
        })
    }

    /// The same statement, signed: one line.
    pub fn sign(&self, name: &str, sha256: &str, key: &SecretKey) -> String {
        Envelope::sign(STATEMENT, self.statement(name, sha256).into_bytes(), key).line()
    }
}

impl Source {
    fn dependency(&self, repository: &Option<String>) -> Value {
        let mut source = json!({
            "annotations": { "dirty": self.dirty },
            "digest": { "gitCommit": self.commit },
            "name": "source",
        });
        if let Some(repository) = repository {
            source["uri"] = json!(repository);
        }
        source
    }
}

fn materials(materials: &[(String, TreeDigest)]) -> impl Iterator<Item = Value> {
    materials.iter().map(|(name, content)| json!({ "digest": { TREE: content }, "name": name, "uri": format!("wake:{name}") }))
}

/// The parts of a statement.
struct Said<'a> {
    build_type: &'a str,
    parameters: Value,
    sandbox: &'a str,
    steps: &'a [StepRun],
    dependencies: Vec<Value>,
    wake: &'a str,
    subject: Value,
}

fn statement(said: &Said<'_>) -> String {
    let mut steps = said.steps.to_vec();
    steps.sort();
    let step = |step: &StepRun| {
        let mut value = json!({ "digest": { ACTION: step.action }, "name": step.label });
        if let Some(outputs) = &step.outputs {
            value["annotations"] = json!({ "outputs": { TREE: outputs } });
        }
        value
    };
    let byproducts: Vec<Value> = steps.iter().take(MOST_STEPS).map(step).collect();
    canonical(&json!({
        "_type": STATEMENT_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": said.build_type,
                "externalParameters": said.parameters,
                "internalParameters": { "sandbox": said.sandbox, "steps": steps.len() },
                "resolvedDependencies": said.dependencies,
            },
            "runDetails": {
                "builder": { "id": BUILDER, "version": { "wake": said.wake } },
                "byproducts": byproducts,
            },
        },
        "predicateType": PROVENANCE,
        "subject": [said.subject],
    }))
}

/// A statement about content, with its signatures. It is not trusted before a signature has been verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation {
    /// The envelope.
    pub envelope: Envelope,
    statement: Value,
}

impl Attestation {
    /// Parses a file of attestations; lines of other forms are skipped.
    pub fn all(bytes: &[u8]) -> Vec<Attestation> {
        String::from_utf8_lossy(bytes).lines().filter_map(Attestation::parse).collect()
    }

    fn parse(line: &str) -> Option<Attestation> {
        let envelope = Envelope::parse(line)?;
        if envelope.kind != STATEMENT {
            return None;
        }
        let statement: Value = serde_json::from_slice(&envelope.payload).ok()?;
        (statement["_type"] == STATEMENT_TYPE).then_some(Attestation { envelope, statement })
    }

    /// Whether it is about this content.
    pub fn is_about(&self, content: &TreeDigest) -> bool {
        let content = content.to_string();
        let subjects = self.statement["subject"].as_array();
        subjects.is_some_and(|subjects| {
            subjects.iter().any(|subject| subject["digest"][TREE] == content.as_str())
        })
    }

    /// Whether it is about the image whose manifest has this SHA-256.
    pub fn is_about_image(&self, sha256: &str) -> bool {
        let subjects = self.statement["subject"].as_array();
        subjects.is_some_and(|subjects| {
            subjects.iter().any(|subject| subject["digest"]["sha256"] == sha256)
        })
    }

    /// Whether it states provenance.
    pub fn is_provenance(&self) -> bool {
        self.statement["predicateType"] == PROVENANCE
    }

    /// Its predicate type: a URI.
    pub fn kind(&self) -> &str {
        self.statement["predicateType"].as_str().unwrap_or_default()
    }

    /// The source revision, if stated.
    pub fn source(&self) -> Option<Source> {
        let build = &self.statement["predicate"]["buildDefinition"];
        let source = build["resolvedDependencies"].as_array()?;
        source.iter().find_map(|one| {
            let commit = one["digest"]["gitCommit"].as_str()?.to_owned();
            let dirty = one["annotations"]["dirty"].as_bool().unwrap_or(false);
            Some(Source { commit, dirty })
        })
    }

    /// The version of wake that published it, if stated.
    pub fn wake(&self) -> Option<&str> {
        self.statement["predicate"]["runDetails"]["builder"]["version"]["wake"].as_str()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::key::tests::key_of_the_rfc;

    /// The vectors computed by `spec/reference/wake_encoding.py`.
    #[test]
    fn attestations_are_those_of_the_specification() {
        let text = include_str!("../../spec/vectors/attestation.json");
        let vectors: Value = serde_json::from_str(text).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let name = case["name"].as_str().unwrap();
            let release = Release::of(case["release"].clone()).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
            let of = &case["provenance"];
            let provenance = Provenance {
                wake: text(&of["wake"]),
                sandbox: text(&of["sandbox"]),
                verified: of["verified"].as_bool().unwrap(),
                allowed_secrets: list(&of["allowedSecrets"]).iter().map(text).collect(),
                source: of.get("source").map(|source| Source {
                    commit: text(&source["commit"]),
                    dirty: source["dirty"].as_bool().unwrap(),
                }),
                materials: list(&of["materials"])
                    .iter()
                    .map(|one| (text(&one["name"]), text(&one["content"]).parse().unwrap()))
                    .collect(),
                steps: list(&of["steps"])
                    .iter()
                    .map(|step| StepRun {
                        label: text(&step["label"]),
                        action: text(&step["action"]),
                        outputs: step.get("outputs").map(text),
                    })
                    .collect(),
            };
            assert_eq!(provenance.statement(&release), case["statement"], "{name}");
            let line = provenance.sign(&release, &key_of_the_rfc());
            assert_eq!(line, text(&case["line"]) + "\n", "{name}");
            let read = Attestation::all(line.as_bytes());
            assert_eq!(read.len(), 1);
            assert!(read[0].is_about(&release.content) && read[0].is_provenance());
            assert_eq!(read[0].source(), provenance.source);
            assert_eq!(read[0].wake(), Some(&*provenance.wake));
        }
    }

    #[test]
    fn lines_of_other_forms_are_skipped() {
        let release = Release::of(json!({"api":1,"content":"50c464d5e4fb18531ea04c5409eeb85d66d314877723f732a1581830eb8d38e8","files":0,"modules":[],"name":"a","pkgs":{},"size":0,"version":"1.0.0","wake":1})).unwrap();
        let line = Provenance::default().sign(&release, &key_of_the_rfc());
        let bundle = r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#;
        let text = format!("{bundle}\n\n{line}not json\n");
        assert_eq!(Attestation::all(text.as_bytes()).len(), 1);
        let other = "00".repeat(32).parse().unwrap();
        assert!(!Attestation::all(line.as_bytes())[0].is_about(&other));
    }
}
