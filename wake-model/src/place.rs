//! The paths at which commands find files, relative to their working directory.
//!
//! A package's own files are at their own paths. Files of others are below `./.wake/`, at the same path for every
//! package and module, so that paths can be passed on. Source: `spec/encoding.md`, the action of a module.

use crate::name::PkgKey;
use crate::path::RelPath;

/// The file that makes a directory a package.
pub const PKG_FILE: &str = "PKG.libsonnet";

/// The file in a root file system that lists the distribution packages it consists of, one per line, with name,
/// version and architecture.
pub const HOST_PACKAGES: &str = "etc/wake/packages";

/// The directory that is reserved for wake, both in a checkout and in a sandbox.
pub const WAKE_DIR: &str = ".wake";

/// The directory of files of other packages.
const PKGS_DIR: &str = "./.wake/pkgs/";
/// The directory of outputs of other modules.
const MODULES_DIR: &str = "./.wake/modules/";
/// The directory of downloads.
const FETCHED_DIR: &str = "./.wake/fetched/";
/// The file that tells a command about its module.
const MODULE_JSON: &str = ".wake/module.json";

/// The thing that a path in a value refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalPath {
    /// A path of the same package or module.
    Own(RelPath),
    /// A path in another package.
    Pkg(PkgKey, RelPath),
    /// A path in a module, by module id.
    Module(String, RelPath),
}

impl LocalPath {
    /// Parses the path of a file object; `None` if it is not a path of a package.
    pub fn parse(path: &str) -> Option<LocalPath> {
        let split = |rest: &str| -> Option<(String, RelPath)> {
            let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
            let below = if below.is_empty() { RelPath::root() } else { below.parse().ok()? };
            (!name.is_empty()).then(|| (name.to_owned(), below))
        };
        if let Some(rest) = path.strip_prefix(PKGS_DIR) {
            let (key, below) = split(rest)?;
            return Some(LocalPath::Pkg(key.parse().ok()?, below));
        }
        if let Some(rest) = path.strip_prefix(MODULES_DIR) {
            let (id, below) = split(rest)?;
            return Some(LocalPath::Module(id, below));
        }
        path.parse().ok().map(LocalPath::Own)
    }
}

/// Returns the directory of a package as seen by other packages; ends with `/`.
pub fn pkg_prefix(key: &PkgKey) -> String {
    [PKGS_DIR, key.as_str(), "/"].concat()
}

/// Returns the directory of a module as seen by other modules; ends with `/`.
pub fn module_prefix(id: &str) -> String {
    [MODULES_DIR, id, "/"].concat()
}

/// Returns the path of a download, the same for everyone: a file named like the end of its address, or a directory.
pub fn fetched_place(sha256: &str, url: &str, is_unpacked: bool, strip: u32) -> String {
    /// The number of digits of the digest in the path.
    const DIGITS: usize = 32;
    let digits = sha256.get(..DIGITS).unwrap_or("unknown");
    if is_unpacked {
        return format!("{FETCHED_DIR}{digits}-{strip}");
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
    let is_name = !name.trim_start_matches('.').is_empty() && name.chars().all(fits);
    format!("{FETCHED_DIR}{digits}/{}", if is_name { name } else { "file" })
}

/// Returns the path of the file that tells a command about its module.
pub fn module_json() -> RelPath {
    RelPath::parse(MODULE_JSON).unwrap_or_default()
}

/// Whether a path is in the directory for files of others and of wake itself.
pub fn is_foreign(path: &RelPath) -> bool {
    path.components().next() == Some(WAKE_DIR)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places() {
        let own = LocalPath::parse("./src/a.c").unwrap();
        assert_eq!(own, LocalPath::Own("src/a.c".parse().unwrap()));
        let key: PkgKey = "@z@1.0.0".parse().unwrap();
        let whole = LocalPath::parse(&pkg_prefix(&key)).unwrap();
        assert_eq!(whole, LocalPath::Pkg(key, RelPath::root()));
        let id = "@z@1.0.0@lib@0123";
        let output = LocalPath::parse(&format!("{}lib/libz.a", module_prefix(id))).unwrap();
        assert_eq!(output, LocalPath::Module(id.into(), "lib/libz.a".parse().unwrap()));
        assert_eq!(LocalPath::parse("/etc/passwd"), None);
        assert!(is_foreign(&module_json()) && !is_foreign(&"a/.wake".parse().unwrap()));
    }
}
