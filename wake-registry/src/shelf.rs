//! What lies where in a registry. Source: `spec/packages.md`.

use wake_model::{BlobDigest, Name, PkgName, Version};

/// The file that says that a directory is a registry.
pub(crate) const MARK: &str = "registry.json";

/// The file that says what a signed registry is.
pub(crate) const HEAD: &str = "head.json";

/// Where archives and metadata lie.
pub(crate) const PKGS: &str = "pkgs/";

/// What stands for the namespace of packages that have none; no namespace is called so.
const NO_NAMESPACE: &str = "_";

/// The kinds of files that each version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its archive.
    Archive,
    /// Its metadata.
    Metadata,
    /// What people signed of it.
    Attestations,
}

/// The log of a package.
pub(crate) fn log(pkg: &PkgName) -> String {
    format!("index/{}/{}.jsonl", namespace(pkg.namespace.as_ref()), pkg.name)
}

/// The list of the packages of a namespace.
pub(crate) fn list(of: Option<&Name>) -> String {
    format!("index/{}.jsonl", namespace(of))
}

/// The same list, as the head of a signed registry means it: it stays what it is.
pub(crate) fn fixed_list(of: Option<&Name>, hash: &BlobDigest) -> String {
    format!("index/{}.{hash}.jsonl", namespace(of))
}

/// A file of a version. Versions have no characters that paths and addresses have not, but `+`, which stands for itself in both.
pub(crate) fn part(pkg: &PkgName, version: &Version, part: Part) -> String {
    let ending = match part {
        Part::Archive => "tar.zst",
        Part::Metadata => "json",
        Part::Attestations => "att.jsonl",
    };
    format!("{PKGS}{}/{}/{version}.{ending}", namespace(pkg.namespace.as_ref()), pkg.name)
}

/// What stands for a namespace.
pub(crate) fn namespace(of: Option<&Name>) -> &str {
    of.map_or(NO_NAMESPACE, Name::as_str)
}
