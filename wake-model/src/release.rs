//! The metadata that registries store about one version of a package, a function of the tree of its files. Source:
//! `spec/packages.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::TreeDigest;
use crate::json;
use crate::name::{Name, PkgName, Requirement, Version};
use crate::package::{GlobalRule, Permission, PkgInfo, PkgRequest};

/// The format version of the metadata that this crate writes.
const FORM: u32 = 1;

/// The maximum length of a published version, in characters.
pub const LONGEST_VERSION: usize = 100;

/// The metadata of one version of a package.
///
/// They do not state where, when or by whom it was published, so that the same tree always gives the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of the `wake` object that its functions use.
    pub api: u32,
    /// The tree of its files.
    pub content: TreeDigest,
    /// A description of one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The number of files and links.
    pub files: u64,
    /// The address of a home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Keywords for searches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The license terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The names of its modules, sorted.
    pub modules: Vec<String>,
    /// Its name.
    pub name: Name,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// Its dependencies, by key.
    pub pkgs: BTreeMap<String, Need>,
    /// The address of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The total size of its files, in bytes.
    pub size: u64,
    /// Brief usage instructions.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Its version.
    pub version: Version,
    /// The format version.
    wake: u32,
}

/// A dependency of a published package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Where it comes from.
    pub from: NeedSource,
    /// Its rank among global packages, if it is global.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<GlobalRule>,
    /// The name.
    pub name: Name,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// The permissions it is granted, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// The acceptable versions.
    pub version: Requirement,
}

/// Where a dependency of a published package comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeedSource {
    /// The registry of its namespace.
    Registry,
    /// The global namespace of the build.
    Global,
    /// The exec of a package.
    Retriever,
}

/// The part of a package's own metadata that registries store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct About {
    /// A description of one sentence.
    pub description: Option<String>,
    /// The address of a home page.
    pub homepage: Option<String>,
    /// Keywords for searches.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The license terms.
    pub license: Option<String>,
    /// The address of the source repository.
    pub repository: Option<String>,
    /// Brief usage instructions.
    #[serde(rename = "use")]
    pub usage: Option<String>,
}

/// A summary of the files of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSum {
    /// Their tree.
    pub content: TreeDigest,
    /// The number of files and links.
    pub files: u64,
    /// The total size of the files, in bytes.
    pub size: u64,
}

/// The error for a text that is not package metadata.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is not JSON, or not of the right form.
    #[error("{0}")]
    Form(serde_json::Error),
    /// Its format version is unknown.
    #[error("it has format version {0}, but this wake supports version {FORM}")]
    Later(u64),
    /// It is not canonical JSON.
    #[error("it is not canonical JSON followed by a line feed")]
    NotCanonical,
}

/// A name or version that no registry accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// A name that registries accessed by other programs do not allow.
    #[error(
        "`{0}` cannot be published: a published name starts and ends with a letter or digit, and has one or two `_` or any number of `-` between two of them"
    )]
    Name(String),
    /// The version is too long.
    #[error("a version of {0} characters cannot be published: the limit is {LONGEST_VERSION}")]
    Version(usize),
}

impl About {
    /// Reads the `metadata` of a package; fields that registries do not store are ignored.
    pub fn of(metadata: &Value) -> Result<About, serde_json::Error> {
        match metadata {
            Value::Null => Ok(About::default()),
            metadata => About::deserialize(metadata),
        }
    }
}

impl Release {
    /// Creates the metadata of a package with these files. `modules` and `pkgs` can be in any order.
    pub fn new(
        info: &PkgInfo,
        sum: FileSum,
        api: u32,
        about: About,
        modules: impl IntoIterator<Item = String>,
        pkgs: impl IntoIterator<Item = (String, Need)>,
    ) -> Release {
        let About { description, homepage, keywords, license, repository, usage } = about;
        let mut modules: Vec<String> = modules.into_iter().collect();
        modules.sort_unstable();
        Release {
            api,
            content: sum.content,
            description,
            files: sum.files,
            homepage,
            keywords,
            license,
            modules,
            name: info.name.clone(),
            namespace: info.namespace.clone(),
            pkgs: pkgs.into_iter().collect(),
            repository,
            size: sum.size,
            usage,
            version: info.version.clone(),
            wake: FORM,
        }
    }

    /// Parses a metadata file, which must be exactly what would be written.
    pub fn parse(text: &str) -> Result<Release, ReleaseError> {
        let value = serde_json::from_str(text).map_err(ReleaseError::Form)?;
        let release = Release::of(value)?;
        if release.text() == text { Ok(release) } else { Err(ReleaseError::NotCanonical) }
    }

    /// Reads metadata that are embedded in something else.
    pub fn of(value: Value) -> Result<Release, ReleaseError> {
        if let Some(form) = value["wake"].as_u64().filter(|form| *form != u64::from(FORM)) {
            return Err(ReleaseError::Later(form));
        }
        serde_json::from_value(value).map_err(ReleaseError::Form)
    }

    /// Returns the metadata as JSON.
    pub fn value(&self) -> Value {
        // Strings, numbers and lists of them are always valid JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns the content of the metadata file: one line of canonical JSON.
    pub fn text(&self) -> String {
        json::canonical(&self.value()) + "\n"
    }

    /// Returns the identity of the package.
    pub fn info(&self) -> PkgInfo {
        PkgInfo {
            name: self.name.clone(),
            version: self.version.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// Returns the name of the package, without its version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// Returns the metadata for people and other programs, in the form that [`About::of`] reads.
    pub fn about(&self) -> Value {
        let fields = ["description", "homepage", "keywords", "license", "repository", "use"];
        let value = self.value();
        let said = fields.into_iter().filter_map(|field| Some((field, value.get(field)?.clone())));
        said.map(|(field, value)| (field.to_owned(), value)).collect()
    }
}

impl Need {
    /// Returns the request for the dependency.
    pub fn request(&self) -> PkgRequest {
        PkgRequest {
            name: self.name.clone(),
            version: self.version.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// Checks whether registries accept a package with this name and version.
pub fn check_publishable(info: &PkgInfo) -> Result<(), Unpublishable> {
    let PkgInfo { name, version, namespace } = info;
    for name in namespace.iter().chain([name]) {
        if !is_path_component(name.as_str()) {
            return Err(Unpublishable::Name(name.to_string()));
        }
    }
    match version.to_string().len() {
        length if length > LONGEST_VERSION => Err(Unpublishable::Version(length)),
        _ => Ok(()),
    }
}

/// Whether a name can be a component of a repository path of the Open Container Initiative.
///
/// Source: its distribution specification 1.1, "Pulling manifests".
fn is_path_component(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between = |run: &str| run == "_" || run == "__" || run.bytes().all(|byte| byte == b'-');
    let mut runs = name.split(is_word).filter(|run| !run.is_empty());
    name.starts_with(is_word) && name.ends_with(is_word) && runs.all(between)
}

/// Returns a form that is equal for names that people confuse: the name without `-` and `_`.
pub fn resemblance(name: &PkgName) -> String {
    let bare = |name: &Name| name.as_str().replace(['-', '_'], "");
    let namespace = name.namespace.as_ref().map(bare).unwrap_or_default();
    format!("{namespace}/{}", bare(&name.name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn info(namespace: Option<&str>, name: &str, version: &str) -> PkgInfo {
        PkgInfo {
            name: name.parse().unwrap(),
            version: version.parse().unwrap(),
            namespace: namespace.map(|namespace| namespace.parse().unwrap()),
        }
    }

    #[test]
    fn names_are_those_that_paths_of_repositories_may_have() {
        let is_taken = |name: &str| check_publishable(&info(None, name, "1.0.0")).is_ok();
        for name in ["a", "0ad", "a-b", "a--b", "a_b", "a__b", "a-b_c", &"a".repeat(64)] {
            assert!(is_taken(name), "{name}");
        }
        for name in ["a-", "a_", "a___b", "a_-b", "a-_b", "a-__b"] {
            assert!(!is_taken(name), "{name}");
        }
        let foreign = check_publishable(&info(Some("acme_"), "a", "1.0.0"));
        assert_eq!(foreign, Err(Unpublishable::Name("acme_".to_owned())));
    }

    #[test]
    fn versions_have_a_hundred_characters_at_most() {
        let version = |length: usize| format!("1.0.0-{}", "a".repeat(length - 6));
        assert_eq!(check_publishable(&info(None, "a", &version(100))), Ok(()));
        let long = check_publishable(&info(None, "a", &version(101)));
        assert_eq!(long, Err(Unpublishable::Version(101)));
    }

    #[test]
    fn names_that_differ_in_dashes_resemble_each_other() {
        let of = |name: &str| resemblance(&name.parse().unwrap());
        assert_eq!(of("acme/a-b"), of("ac_me/ab"));
        assert_ne!(of("acme/ab"), of("ab"));
        assert_ne!(of("ac/meab"), of("acme/ab"));
    }

    #[test]
    fn non_canonical_metadata_is_refused() {
        let text = "{\"api\":1,\"content\":\"50c464d5e4fb18531ea04c5409eeb85d66d314877723f732a1581830eb8d38e8\",\"files\":0,\"modules\":[],\"name\":\"a\",\"pkgs\":{},\"size\":0,\"version\":\"1.0.0\",\"wake\":1}\n";
        assert_eq!(Release::parse(text).unwrap().text(), text);
        let of = |from: &str, to: &str| Release::parse(&text.replace(from, to));
        assert!(matches!(of("\"wake\":1", "\"wake\":2"), Err(ReleaseError::Later(2))));
        assert!(matches!(of("\n", ""), Err(ReleaseError::NotCanonical)));
        assert!(matches!(of(":1,", ": 1,"), Err(ReleaseError::NotCanonical)));
        assert!(matches!(of("\"a\"", "\"A\""), Err(ReleaseError::Form(_))));
        assert!(matches!(of("\"size\"", "\"sizes\""), Err(ReleaseError::Form(_))));
        assert!(matches!(of("\"files\":0,", "\"files\":-1,"), Err(ReleaseError::Form(_))));
    }
}
