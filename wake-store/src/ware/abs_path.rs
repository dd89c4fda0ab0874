//! Absolute paths as formulas write them.

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An absolute path, cleaned as Go's `path.Clean` does: no empty component, `.`, `..` or trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(String);

impl AbsPath {
    /// Returns the root.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Returns the path with its leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the components below the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// Returns whether `self` is at or below `ancestor`, by component: `/ab` is not below `/a`.
    pub fn starts_with(&self, ancestor: &AbsPath) -> bool {
        Path::new(&self.0).starts_with(&ancestor.0)
    }

    /// Returns the directory that contains this path; none for the root.
    pub fn parent(&self) -> Option<AbsPath> {
        if self.0 == "/" {
            return None;
        }
        let end = self.0.rfind('/').unwrap_or(0);
        Some(AbsPath(if end == 0 { "/".to_owned() } else { self.0[..end].to_owned() }))
    }

    /// Returns the path of `name` in this directory, cleaned like any other.
    pub fn child(&self, name: &str) -> AbsPath {
        clean(&format!("{}/{name}", self.0))
    }

    /// Returns this path with `root` in place of the root directory.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(self.0.trim_start_matches('/'))
    }
}

/// Compares, orders and hashes like its text.
impl Borrow<str> for AbsPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AbsPath {
    type Err = ParseAbsPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') {
            return Err(ParseAbsPathError::Relative { path: text.to_owned() });
        }
        if text.contains('\0') {
            return Err(ParseAbsPathError::Nul { path: text.replace('\0', "\\0") });
        }
        Ok(clean(text))
    }
}

fn clean(text: &str) -> AbsPath {
    let mut components = Vec::new();
    for component in text.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            name => components.push(name),
        }
    }
    AbsPath(format!("/{}", components.join("/")))
}

/// Why a text is not an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAbsPathError {
    /// It does not start with a slash.
    #[error("path `{path}` is relative: expected one that starts with `/`")]
    Relative {
        /// The given text.
        path: String,
    },
    /// It contains a NUL byte.
    #[error("path `{path}` contains a NUL byte")]
    Nul {
        /// The given text, escaped.
        path: String,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // The expectations are those of the tests of Go's `path.Clean`, for the absolute ones.
    #[test]
    fn paths_are_cleaned_as_in_go() {
        for (given, cleaned) in [
            ("/", "/"),
            ("/abc", "/abc"),
            ("/abc/", "/abc"),
            ("//abc", "/abc"),
            ("/abc//def//", "/abc/def"),
            ("/abc/./def", "/abc/def"),
            ("/abc/def/..", "/abc"),
            ("/../abc", "/abc"),
            ("/abc/../../././../def", "/def"),
        ] {
            assert_eq!(given.parse::<AbsPath>().unwrap().as_str(), cleaned);
        }
    }

    #[test]
    fn relative_paths_are_refused() {
        let error = "task/out".parse::<AbsPath>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "path `task/out` is relative: expected one that starts with `/`"
        );
    }

    #[test]
    fn below_compares_whole_components() {
        let path = |text: &str| text.parse::<AbsPath>().unwrap();
        assert!(path("/a/b").starts_with(&path("/a")));
        assert!(!path("/ab").starts_with(&path("/a")));
        assert!(path("/ab").starts_with(&AbsPath::root()));
    }
}
