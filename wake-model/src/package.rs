//! Declarations in a `PKG.libsonnet`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use strum::AsRefStr;

use crate::digest::{PkgDigest, TreeDigest};
use crate::encode::{Domain, digest_of};
use crate::name::{Name, PkgKey, PkgName, Requirement, Version};

/// The identity of a package: name, exact version, and namespace if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PkgInfo {
    /// The name.
    pub name: Name,
    /// The exact version.
    pub version: Version,
    /// Distinguishes packages of the same name from different organisations.
    #[serde(default)]
    pub namespace: Option<Name>,
}

impl PkgInfo {
    /// Returns the key of the package in a build.
    pub fn key(&self) -> PkgKey {
        PkgKey::new(self.namespace.as_ref(), &self.name, &self.version)
    }

    /// Returns the name of the package, without its version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// A request for a package: a name and the acceptable versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PkgRequest {
    /// The name.
    pub name: Name,
    /// The acceptable versions.
    pub version: Requirement,
    /// The namespace, or none.
    #[serde(default)]
    pub namespace: Option<Name>,
}

impl PkgRequest {
    /// Returns the name of the package, without a version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// Whether `info` meets the request.
    pub fn matches(&self, info: &PkgInfo) -> bool {
        self.name == info.name
            && self.namespace == info.namespace
            && self.version.matches(&info.version)
    }
}

/// A dependency of one package on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetPkg {
    /// Where it comes from.
    pub from: PkgSource,
    /// Its rank in the global namespace, if it is added there.
    pub global: Option<GlobalRule>,
    /// The permissions it is granted.
    pub permissions: Vec<Permission>,
    /// The request.
    #[serde(rename = "pkgInfo")]
    pub request: PkgRequest,
}

/// Where a dependency comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum PkgSource {
    /// The global namespace of the build.
    Global,
    /// The configured registries.
    #[serde(untagged)]
    Registry,
    /// A directory, relative to the requesting package; it may be above it, but inside the workspace.
    #[serde(untagged)]
    Local(String),
    /// An exec of another package that retrieves it; the value is that exec as declared.
    #[serde(untagged)]
    Retriever(Value),
}

// Written by hand: a derived implementation tries one variant after the other and formats an error for each mismatch.
impl<'de> Deserialize<'de> for PkgSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PkgSource, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => PkgSource::Registry,
            Value::String(dir) => PkgSource::Local(dir),
            value if value.get("type").is_some_and(|kind| kind == "global") => PkgSource::Global,
            exec => PkgSource::Retriever(exec),
        })
    }
}

/// The rank of a package in the global namespace; the highest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "WrittenRule", into = "WrittenRule")]
pub struct GlobalRule {
    /// 0 for `global=true`, 1 to 100 for an override.
    pub rank: u8,
}

/// The form in which users write a rule.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum WrittenRule {
    Plain(bool),
    Ranked { r#override: u8 },
}

impl From<WrittenRule> for GlobalRule {
    fn from(rule: WrittenRule) -> Self {
        match rule {
            WrittenRule::Plain(_) => GlobalRule { rank: 0 },
            WrittenRule::Ranked { r#override: rank } => GlobalRule { rank },
        }
    }
}

impl From<GlobalRule> for WrittenRule {
    fn from(rule: GlobalRule) -> Self {
        match rule.rank {
            0 => WrittenRule::Plain(true),
            rank => WrittenRule::Ranked { r#override: rank },
        }
    }
}

/// A permission that a package must be granted by the package that requests it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsRefStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Permission {
    /// It may define global packages itself.
    DefineGlobal,
    /// Its commands may use the network.
    Network,
}

impl Permission {
    /// Every permission, in the order of their names.
    pub const ALL: [Permission; 2] = [Permission::DefineGlobal, Permission::Network];
}

/// Everything that determines the identity of a package's content.
#[derive(Clone, Debug)]
pub struct PkgIdentity {
    /// Its name, version and namespace.
    pub info: PkgInfo,
    /// Its files, including the Jsonnet sources.
    pub files: TreeDigest,
    /// Its dependencies by key, sorted by key.
    pub pkgs: Vec<(String, PkgDigest)>,
}

impl PkgIdentity {
    /// Returns the digest of the package, which is the same everywhere.
    pub fn digest(&self) -> PkgDigest {
        // No `..`: a new field must not compile until someone decides whether it is part of the identity.
        let PkgIdentity { info: PkgInfo { name, version, namespace }, files, pkgs } = self;
        PkgDigest(digest_of(Domain::Pkg, |e| {
            e.record(5);
            e.text("name");
            e.text(name.as_str());
            e.text("version");
            e.text(&version.to_string());
            e.text("namespace");
            match namespace {
                Some(namespace) => e.text(namespace.as_str()),
                None => e.none(),
            }
            e.text("files");
            e.digest(&files.0);
            e.text("pkgs");
            e.record(pkgs.len());
            for (key, pkg) in pkgs {
                e.text(key);
                e.digest(&pkg.0);
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn sources_are_distinguished_by_their_form() {
        let exec = json!({ "ref": { "type": "file" }, "type": "exec" });
        let cases = [
            (Value::Null, PkgSource::Registry),
            (json!("../zlib"), PkgSource::Local("../zlib".to_owned())),
            (json!({ "type": "global" }), PkgSource::Global),
            (exec.clone(), PkgSource::Retriever(exec)),
            (json!({ "type": 1 }), PkgSource::Retriever(json!({ "type": 1 }))),
        ];
        for (written, source) in cases {
            assert_eq!(serde_json::from_value::<PkgSource>(written.clone()).unwrap(), source);
            assert_eq!(serde_json::to_value(source).unwrap(), written);
        }
    }
}
