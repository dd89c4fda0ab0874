//! Paths inside a package, a tree or a sandbox: relative, normalised, valid UTF-8.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::name::read_text;

/// A relative path. No component is empty, `.` or `..`.
///
/// The empty path is the directory itself. Components are separated by `/`. Paths are ordered by the bytes of the
/// whole text, which is the order of every listing in wake. Clones share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RelPath(Arc<str>);

/// Why a string is not a path inside a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is absolute.
    #[error("`{0}` is absolute: paths are relative to the package")]
    Absolute(String),
    /// It leaves its starting directory.
    #[error("`{0}` leaves the package through `..`")]
    Climbs(String),
    /// It contains a NUL character.
    #[error("`{0}` contains a NUL character")]
    Nul(String),
    /// It is empty.
    #[error("an empty string is not a path")]
    Empty,
}

impl RelPath {
    /// Returns the path of the directory itself.
    pub fn root() -> Self {
        RelPath::default()
    }

    /// Parses and normalises a path: `./a//b/` becomes `a/b`, `a/../b` becomes `b`, `.` becomes the root.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        // Nearly all paths are written like this.
        let written = text.strip_prefix("./").unwrap_or(text);
        if is_normal(written) {
            return Ok(RelPath(written.into()));
        }
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        RelPath::root().resolve(text)
    }

    /// Resolves `text` relative to this directory: `../b` is a sibling `b`.
    pub fn resolve(&self, text: &str) -> Result<RelPath, PathError> {
        if text.contains('\0') {
            return Err(PathError::Nul(text.to_owned()));
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute(text.to_owned()));
        }
        let mut path = String::with_capacity(self.0.len() + 1 + text.len());
        path.push_str(&self.0);
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if path.is_empty() => return Err(PathError::Climbs(text.to_owned())),
                ".." => path.truncate(path.rfind('/').unwrap_or(0)),
                name => {
                    if !path.is_empty() {
                        path.push('/');
                    }
                    path.push_str(name);
                }
            }
        }
        Ok(RelPath(path.into()))
    }

    /// Returns the path without a leading `./`; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path with a leading `./`, as users write it.
    pub fn dotted(&self) -> String {
        ["./", &*self.0].concat()
    }

    /// Whether this is the directory itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the components.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Returns the last component; `None` for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.dir_and_name().map(|(_, name)| name)
    }

    /// Returns the parent directory; `None` for the root.
    pub fn parent(&self) -> Option<RelPath> {
        self.dir_and_name().map(|(dir, _)| RelPath(dir.into()))
    }

    /// Returns the parent directory as a string, and the last component; `None` for the root.
    pub fn dir_and_name(&self) -> Option<(&str, &str)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.bytes().rposition(|byte| byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => ("", &self.0),
        })
    }

    /// Iterates over the path itself and its parent directories as strings, ending with the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        fn above<'p>(at: &&'p str) -> Option<&'p str> {
            match at.rfind('/') {
                Some(slash) => Some(&at[..slash]),
                None => (!at.is_empty()).then_some(""),
            }
        }
        std::iter::successors(Some(&*self.0), above)
    }

    /// Appends `below` to this path.
    pub fn join(&self, below: &RelPath) -> RelPath {
        match (self.is_root(), below.is_root()) {
            (true, _) => below.clone(),
            (_, true) => self.clone(),
            _ => {
                let mut text = String::with_capacity(self.0.len() + 1 + below.0.len());
                [&*self.0, "/", &*below.0].into_iter().for_each(|part| text.push_str(part));
                RelPath(text.into())
            }
        }
    }

    /// Appends one component; `name` must not be a path.
    pub fn child(&self, name: &str) -> Result<RelPath, PathError> {
        RelPath::parse(name).map(|component| self.join(&component))
    }

    /// Returns the path relative to `base`; `None` if it is not inside. A path is inside itself.
    pub fn strip(&self, base: &RelPath) -> Option<RelPath> {
        if base.is_root() {
            return Some(self.clone());
        }
        let rest = self.0.strip_prefix(&*base.0)?;
        match rest.strip_prefix('/') {
            Some(below) => Some(RelPath(below.into())),
            None if rest.is_empty() => Some(RelPath::root()),
            None => None,
        }
    }

    /// Whether this is `base` or is inside it.
    pub fn starts_with(&self, base: &RelPath) -> bool {
        base.is_root()
            || self
                .0
                .strip_prefix(&*base.0)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Resolves a symbolic link's `target` in the directory `from`; `None` if it leaves the root.
pub fn resolve_link(from: &RelPath, target: &str) -> Option<RelPath> {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return None;
    }
    from.resolve(target).ok()
}

/// Whether a string is already the normalised form of a path.
fn is_normal(text: &str) -> bool {
    let text = text.as_bytes();
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'/' if !is_name(&text[start..at]) => return false,
            b'/' => start = at + 1,
            b'\0' => return false,
            _ => {}
        }
    }
    is_name(&text[start..])
}

impl FromStr for RelPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        RelPath::parse(text)
    }
}

impl Borrow<str> for RelPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<std::path::Path> for RelPath {
    fn as_ref(&self) -> &std::path::Path {
        std::path::Path::new(&*self.0)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, "a relative path", |text| match text {
            "" => Ok(RelPath::root()),
            text => text.parse(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    #[test]
    fn equivalent_spellings_are_one_path() {
        for text in ["a/b", "./a/b", "a//b/", "./a/./b", "a/x/../b"] {
            assert_eq!(path(text).as_str(), "a/b", "{text}");
        }
        assert!(path(".").is_root());
    }

    #[test]
    fn a_path_outside_the_package_is_refused() {
        assert!(matches!(RelPath::parse("../a"), Err(PathError::Climbs(_))));
        assert!(matches!(RelPath::parse("a/../../b"), Err(PathError::Climbs(_))));
        assert!(matches!(RelPath::parse("/a"), Err(PathError::Absolute(_))));
        assert!(matches!(RelPath::parse("a\0"), Err(PathError::Nul(_))));
        assert!(matches!(RelPath::parse(""), Err(PathError::Empty)));
    }

    #[test]
    fn what_is_written_in_a_directory_leads_on_from_there() {
        assert_eq!(path("a/b").resolve("../c/./d/"), Ok(path("a/c/d")));
        assert_eq!(path("a/b").resolve("../.."), Ok(RelPath::root()));
        assert_eq!(RelPath::root().resolve("b"), Ok(path("b")));
        assert_eq!(path("a").resolve(""), Ok(path("a")));
        assert!(matches!(path("a").resolve("../../b"), Err(PathError::Climbs(_))));
        assert!(matches!(path("a").resolve("/b"), Err(PathError::Absolute(_))));
        assert!(matches!(path("a").resolve("b\0"), Err(PathError::Nul(_))));
    }

    #[test]
    fn a_path_is_its_directory_and_its_name() {
        assert_eq!(path("a/b/c").dir_and_name(), Some(("a/b", "c")));
        assert_eq!(path("c").dir_and_name(), Some(("", "c")));
        assert_eq!(RelPath::root().dir_and_name(), None);
        assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
        assert_eq!(path("c").parent(), Some(RelPath::root()));
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let of = |text: &str| path(text).ancestors().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of("a/b/c"), ["a/b/c", "a/b", "a", ""]);
        assert_eq!(of("a"), ["a", ""]);
        assert_eq!(RelPath::root().ancestors().collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn strip_goes_by_component() {
        assert_eq!(path("lib/a").strip(&path("lib")), Some(path("a")));
        assert_eq!(path("lib2/a").strip(&path("lib")), None);
        assert_eq!(path("lib").strip(&path("lib")), Some(RelPath::root()));
        assert!(!path("lib2").starts_with(&path("lib")));
    }

    #[test]
    fn links_outside_are_refused() {
        assert_eq!(resolve_link(&path("a/b"), "../c"), Some(path("a/c")));
        assert_eq!(resolve_link(&path("a"), "../../c"), None);
        assert_eq!(resolve_link(&path("a"), "/etc"), None);
    }
}
