//! What someone declares in a `PKG.libsonnet`.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use strum::AsRefStr;

use crate::digest::{PkgDigest, TreeDigest};
use crate::encode::{Domain, digest_of};
use crate::name::{Name, PkgKey, PkgName, Requirement, Version};

/// Who a package is: name, exact version, and namespace where it has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PkgInfo {
    /// The name.
    pub name: Name,
    /// The exact version.
    pub version: Version,
    /// Tells apart packages of the same name from different organisations.
    #[serde(default)]
    pub namespace: Option<Name>,
}

impl PkgInfo {
    /// What names this package in a build.
    pub fn key(&self) -> PkgKey {
        PkgKey::new(self.namespace.as_ref(), &self.name, &self.version)
    }

    /// The package, whatever its version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// Which package is wanted: a name and the versions that will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PkgRequest {
    /// The name.
    pub name: Name,
    /// The versions that will do.
    pub version: Requirement,
    /// The namespace, or none.
    #[serde(default)]
    pub namespace: Option<Name>,
}

impl PkgRequest {
    /// The package, whatever its version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// Whether `info` is what was asked for.
    pub fn matches(&self, info: &PkgInfo) -> bool {
        self.name == info.name
            && self.namespace == info.namespace
            && self.version.matches(&info.version)
    }
}

/// One dependency of a package on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetPkg {
    /// Where it is to be had.
    pub from: PkgSource,
    /// Whether it also enters the global namespace, and with which rank.
    pub global: Option<GlobalRule>,
    /// What it may do that packages may not do by themselves.
    pub permissions: Vec<Permission>,
    /// What is wanted.
    #[serde(rename = "pkgInfo")]
    pub request: PkgRequest,
}

/// Where a package is to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum PkgSource {
    /// The global namespace of the build.
    Global,
    /// The configured registries.
    #[serde(untagged)]
    Registry,
    /// A directory, written relative to the asking package; it may climb inside the workspace.
    #[serde(untagged)]
    Local(String),
    /// An exec of another package, which fetches it; the value is that exec as declared.
    #[serde(untagged)]
    Retriever(Value),
}

// By hand: what is derived tries one variant after the other, with an error written out for each that it is not.
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

/// The rank of a package in the global namespace: the highest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "WrittenRule", into = "WrittenRule")]
pub struct GlobalRule {
    /// 0 for `global=true`, 1 to 100 for an override.
    pub rank: u8,
}

/// A rule as users write it.
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

/// What a package must be granted by whoever gets it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsRefStr,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Permission {
    /// It may itself define global packages.
    DefineGlobal,
    /// Its exec may use the network when it retrieves packages.
    Network,
}

impl Permission {
    /// Every permission, in the order of their names.
    pub const ALL: [Permission; 2] = [Permission::DefineGlobal, Permission::Network];
}

/// Everything that makes a package the one it is.
#[derive(Clone, Debug)]
pub struct PkgIdentity {
    /// Who it is.
    pub info: PkgInfo,
    /// Its files, the Jsonnet sources among them.
    pub files: TreeDigest,
    /// Its packages by the key it knows them under, sorted by that key.
    pub pkgs: Vec<(String, PkgDigest)>,
}

impl PkgIdentity {
    /// The digest that names the package everywhere and for ever.
    pub fn digest(&self) -> PkgDigest {
        // No `..`: a new field does not compile until someone decides whether it is identity.
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
    fn sources_are_told_apart_by_their_form() {
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
