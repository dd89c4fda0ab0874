//! Paths of nodes inside a ware.

use std::fmt;

/// The path of a node below its ware's root: components joined by `/`, none of them empty, `.` or `..`. The root is
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(String);

impl EntryPath {
    /// Returns the root of the ware.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses a path as written in an archive. `./x`, `x/` and `x//y` are normalised; a path that could leave the tree
    /// is refused.
    pub fn parse(raw: &[u8]) -> Result<Self, EntryPathError> {
        let text = std::str::from_utf8(raw).map_err(|_| EntryPathError::NotUtf8)?;
        if text.is_empty() {
            return Err(EntryPathError::Empty);
        }
        if text.contains('\0') {
            return Err(EntryPathError::Nul);
        }
        if text.starts_with('/') {
            return Err(EntryPathError::Absolute);
        }
        let mut path = String::with_capacity(text.len());
        for component in text.split('/').filter(|component| !matches!(*component, "" | ".")) {
            if component == ".." {
                return Err(EntryPathError::Upwards);
            }
            if component.len() > 255 {
                return Err(EntryPathError::LongName);
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(component);
        }
        Ok(Self(path))
    }

    /// Returns the path of `name` in the directory at this path. The caller must ensure that `name` is one component.
    pub(crate) fn join(&self, name: &str) -> Self {
        if self.is_root() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) }
    }

    /// Returns the path as text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the last component, which is hashed with the node; `.` for the root.
    pub fn name(&self) -> &str {
        match self.0.rsplit('/').next() {
            None | Some("") => ".",
            Some(name) => name,
        }
    }

    /// Returns the directory that contains the node; none for the root.
    pub fn parent(&self) -> Option<EntryPath> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rfind('/').map_or(String::new(), |slash| self.0[..slash].to_owned())))
    }

    /// Returns the number of components.
    pub fn depth(&self) -> usize {
        if self.is_root() { 0 } else { self.0.bytes().filter(|byte| *byte == b'/').count() + 1 }
    }
}

/// Escapes an untrusted path for display on a terminal.
pub(crate) fn shown(path: &EntryPath) -> String {
    path.to_string().escape_debug().to_string()
}

/// Prints the path, and the root as `.`.
impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

/// Why a path is not allowed in a ware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryPathError {
    /// It starts with a slash.
    #[error("is absolute")]
    Absolute,
    /// It has a `..` component.
    #[error("contains `..`")]
    Upwards,
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It contains a NUL byte.
    #[error("contains a NUL byte")]
    Nul,
    /// It is not UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// A component is longer than the 255 bytes that file systems allow.
    #[error("has a name of more than 255 bytes")]
    LongName,
    /// The path is longer than the policy allows.
    #[error("is too long")]
    Long,
    /// The path has more components than the policy allows.
    #[error("is too deep")]
    Deep,
    /// A component has another meaning on another operating system.
    #[error("has a name that is not portable")]
    NotPortable,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_archives_are_normalised() {
        for (raw, path) in
            [("./", ""), (".", ""), ("./a", "a"), ("a/", "a"), ("a//b/./c/", "a/b/c")]
        {
            assert_eq!(EntryPath::parse(raw.as_bytes()).unwrap().as_str(), path);
        }
    }

    #[test]
    fn x1_paths_that_leave_the_tree_are_refused() {
        let refused = |raw: &[u8]| EntryPath::parse(raw).unwrap_err();
        assert_eq!(refused(b"/etc/passwd"), EntryPathError::Absolute);
        assert_eq!(refused(b"../x"), EntryPathError::Upwards);
        assert_eq!(refused(b"a/../../x"), EntryPathError::Upwards);
        assert_eq!(refused(b"a/.."), EntryPathError::Upwards);
        assert_eq!(refused(b"a\0b"), EntryPathError::Nul);
        assert_eq!(refused(b""), EntryPathError::Empty);
        assert_eq!(refused(b"\xff"), EntryPathError::NotUtf8);
        assert_eq!(refused(&[b'a'; 256]), EntryPathError::LongName);
    }

    #[test]
    fn a_path_has_a_name_a_depth_and_a_parent() {
        let path = EntryPath::parse(b"a/b").unwrap();
        assert_eq!((path.name(), path.depth()), ("b", 2));
        assert_eq!(path.parent().unwrap().as_str(), "a");
        assert_eq!(EntryPath::root().name(), ".");
        assert_eq!(EntryPath::root().parent(), None);
    }
}
