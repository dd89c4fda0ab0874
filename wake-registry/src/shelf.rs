//! The file layout of a registry. Source: `spec/packages.md`.

use wake_model::{BlobDigest, Name, PkgName, Version};

/// The file that marks a directory as a registry.
pub(crate) const MARK: &str = "registry.json";

/// The head of a signed registry.
pub(crate) const HEAD: &str = "head.json";

/// The directory of archives and metadata.
pub(crate) const PKGS: &str = "pkgs/";

/// Stands for the namespace of packages without one; no real namespace has this name.
const NO_NAMESPACE: &str = "_";

/// The files of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its archive.
    Archive,
    /// Its metadata.
    Metadata,
    /// Its attestations.
    Attestations,
}

/// The path of a package's log.
pub(crate) fn log(pkg: &PkgName) -> String {
    format!("index/{}/{}.jsonl", namespace(pkg.namespace.as_ref()), pkg.name)
}

/// The path of the list of a namespace's packages.
pub(crate) fn list(of: Option<&Name>) -> String {
    format!("index/{}.jsonl", namespace(of))
}

/// The path of an immutable copy of that list, named by the head of a signed registry.
pub(crate) fn fixed_list(of: Option<&Name>, hash: &BlobDigest) -> String {
    format!("index/{}.{hash}.jsonl", namespace(of))
}

/// The path of a file of a version. Versions contain only characters that are valid in paths and URLs; `+` stands for
/// itself in both.
pub(crate) fn part(pkg: &PkgName, version: &Version, part: Part) -> String {
    let ending = match part {
        Part::Archive => "tar.zst",
        Part::Metadata => "json",
        Part::Attestations => "att.jsonl",
    };
    format!("{PKGS}{}/{}/{version}.{ending}", namespace(pkg.namespace.as_ref()), pkg.name)
}

/// The directory name of a namespace.
pub(crate) fn namespace(of: Option<&Name>) -> &str {
    of.map_or(NO_NAMESPACE, Name::as_str)
}
