//! Where commands find things: paths as they are seen from a working directory.
//!
//! What is one's own lies at its own path. What others have lies below `./.wake/`, at the same place for whoever looks,
//! so that paths can be handed on. Source: `spec/encoding.md`, the action of a module.

use crate::name::PkgKey;
use crate::path::RelPath;

/// The file that makes a directory a package.
pub const PKG_FILE: &str = "PKG.libsonnet";

/// The file of a root file system that says of which packages of the distribution it consists: the name, version and
/// architecture of each, a line each.
pub const HOST_PACKAGES: &str = "etc/wake/packages";

/// The directory that belongs to wake, in a checkout as in a sandbox.
pub const WAKE_DIR: &str = ".wake";

/// Where the files of other packages lie.
const PKGS_DIR: &str = "./.wake/pkgs/";
/// Where the outputs of other modules lie.
const MODULES_DIR: &str = "./.wake/modules/";
/// Where what is fetched lies.
const FETCHED_DIR: &str = "./.wake/fetched/";
/// Where a command finds what wake says of its module.
const MODULE_JSON: &str = ".wake/module.json";

/// What a path in a value names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalPath {
    /// Something of one's own.
    Own(RelPath),
    /// Something of a package.
    Pkg(PkgKey, RelPath),
    /// Something of a module, by its id.
    Module(String, RelPath),
}

impl LocalPath {
    /// Reads a path as it stands in a file object; none if it is no path of a package.
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

/// The directory of a package, as other packages see it: ends in `/`.
pub fn pkg_prefix(key: &PkgKey) -> String {
    [PKGS_DIR, key.as_str(), "/"].concat()
}

/// The directory of a module, as other modules see it: ends in `/`.
pub fn module_prefix(id: &str) -> String {
    [MODULES_DIR, id, "/"].concat()
}

/// Where what is fetched lies, as everybody sees it: a file by the name that its address ends with, or a directory.
pub fn fetched_place(sha256: &str, url: &str, is_unpacked: bool, strip: u32) -> String {
    /// Digits of the digest that tell one thing from another.
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

/// Where a command finds what wake says of its module.
pub fn module_json() -> RelPath {
    RelPath::parse(MODULE_JSON).unwrap_or_default()
}

/// Whether a path lies where the things of others do, and wake's own.
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
