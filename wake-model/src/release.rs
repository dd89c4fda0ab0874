//! What registries say of one version of a package: a function of the tree of its files. Source: `spec/packages.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::TreeDigest;
use crate::json;
use crate::name::{Name, PkgName, Requirement, Version};
use crate::package::{GlobalRule, Permission, PkgInfo, PkgRequest};

/// The form of the metadata that this crate writes.
const FORM: u32 = 1;

/// The most characters of a version that is published.
pub const LONGEST_VERSION: usize = 100;

/// The metadata of a version of a package.
///
/// Nothing of it says where, when or by whom it was published, so that whoever has the tree makes the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The version of the `wake` object that its functions are written for.
    pub api: u32,
    /// The tree of its files.
    pub content: TreeDigest,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many files and links it has.
    pub files: u64,
    /// Where people read of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Words that it is found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Under which terms others may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The names of its modules, sorted.
    pub modules: Vec<String>,
    /// Its name.
    pub name: Name,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// The packages that it needs, by its own keys for them.
    pub pkgs: BTreeMap<String, Need>,
    /// Where its sources are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The bytes of its files together.
    pub size: u64,
    /// How it is used, in a few words.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Its version.
    pub version: Version,
    /// The form of this.
    wake: u32,
}

/// A package that a published one needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Where it is to be had.
    pub from: NeedSource,
    /// Its rank among global packages, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<GlobalRule>,
    /// The name.
    pub name: Name,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Name>,
    /// What it is granted, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// The versions that will do.
    pub version: Requirement,
}

/// Where a published package has another one from.
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

/// What a package says of itself for people and other programs, as far as registries repeat it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct About {
    /// What it is, in a sentence.
    pub description: Option<String>,
    /// Where people read of it.
    pub homepage: Option<String>,
    /// Words that it is found by.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Under which terms others may use it.
    pub license: Option<String>,
    /// Where its sources are kept.
    pub repository: Option<String>,
    /// How it is used, in a few words.
    #[serde(rename = "use")]
    pub usage: Option<String>,
}

/// What the files of a package come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSum {
    /// Their tree.
    pub content: TreeDigest,
    /// How many files and links there are.
    pub files: u64,
    /// The bytes of the files together.
    pub size: u64,
}

/// A text that is no metadata of a package.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is not JSON, or other JSON.
    #[error("{0}")]
    Form(serde_json::Error),
    /// It is of a form that is not known.
    #[error("it has format version {0}, but this wake supports version {FORM}")]
    Later(u64),
    /// It is written otherwise than canonical JSON.
    #[error("it is not canonical JSON followed by a line feed")]
    NotCanonical,
}

/// A name or version that no registry takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// Registries that are reached by other programs know no such name.
    #[error(
        "`{0}` cannot be published: a published name starts and ends with a letter or digit, and has one or two `_` or any number of `-` between two of them"
    )]
    Name(String),
    /// The version has too many characters.
    #[error("a version of {0} characters cannot be published: the limit is {LONGEST_VERSION}")]
    Version(usize),
}

impl About {
    /// What `metadata` of a package says; fields that no registry repeats are passed over.
    pub fn of(metadata: &Value) -> Result<About, serde_json::Error> {
        match metadata {
            Value::Null => Ok(About::default()),
            metadata => About::deserialize(metadata),
        }
    }
}

impl Release {
    /// The metadata of a package of these files. `modules` and `pkgs` come in any order.
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

    /// Reads the text of a file of metadata, which must be the one that would be written.
    pub fn parse(text: &str) -> Result<Release, ReleaseError> {
        let value = serde_json::from_str(text).map_err(ReleaseError::Form)?;
        let release = Release::of(value)?;
        if release.text() == text { Ok(release) } else { Err(ReleaseError::NotCanonical) }
    }

    /// Reads metadata that stand in something else.
    pub fn of(value: Value) -> Result<Release, ReleaseError> {
        if let Some(form) = value["wake"].as_u64().filter(|form| *form != u64::from(FORM)) {
            return Err(ReleaseError::Later(form));
        }
        serde_json::from_value(value).map_err(ReleaseError::Form)
    }

    /// The same as JSON.
    pub fn value(&self) -> Value {
        // Texts, numbers and lists of them are JSON.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The text of its file: a line of canonical JSON.
    pub fn text(&self) -> String {
        json::canonical(&self.value()) + "\n"
    }

    /// Who it is.
    pub fn info(&self) -> PkgInfo {
        PkgInfo {
            name: self.name.clone(),
            version: self.version.clone(),
            namespace: self.namespace.clone(),
        }
    }

    /// The package, whatever its version.
    pub fn pkg_name(&self) -> PkgName {
        PkgName { namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// What it says for people and other programs, as [`About::of`] reads it.
    pub fn about(&self) -> Value {
        let fields = ["description", "homepage", "keywords", "license", "repository", "use"];
        let value = self.value();
        let said = fields.into_iter().filter_map(|field| Some((field, value.get(field)?.clone())));
        said.map(|(field, value)| (field.to_owned(), value)).collect()
    }
}

impl Need {
    /// What is wanted.
    pub fn request(&self) -> PkgRequest {
        PkgRequest {
            name: self.name.clone(),
            version: self.version.clone(),
            namespace: self.namespace.clone(),
        }
    }
}

/// Whether registries take a package of that name and version.
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

/// Whether a name can be part of the path of a repository of the Open Container Initiative.
///
/// Source: its distribution specification 1.1, "Pulling manifests".
fn is_path_component(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between = |run: &str| run == "_" || run == "__" || run.bytes().all(|byte| byte == b'-');
    let mut runs = name.split(is_word).filter(|run| !run.is_empty());
    name.starts_with(is_word) && name.ends_with(is_word) && runs.all(between)
}

/// What two names have in common that people mistake for each other: both without `-` and `_`.
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
    fn what_others_write_is_no_metadata() {
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
