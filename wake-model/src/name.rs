//! Names, versions and keys of packages. Values are valid once parsed.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};

/// The name of a package or of a namespace: `[a-z0-9][a-z0-9_-]*`, at most 64 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// Why a string is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is empty.
    #[error("a name is empty")]
    Empty,
    /// It is longer than [`Name::MAX`].
    #[error("`{0}` is longer than 64 characters")]
    TooLong(String),
    /// It contains a character that is not allowed at that position.
    #[error(
        "`{name}` contains `{character}`: names consist of lower-case letters, digits, `_` and `-`, and start with a letter or digit"
    )]
    Character {
        /// The complete string.
        name: String,
        /// The first invalid character.
        character: char,
    },
}

impl Name {
    /// The maximum length of a name, in characters.
    pub const MAX: usize = 64;

    /// Returns the name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Name::MAX {
            return Err(NameError::TooLong(text.to_owned()));
        }
        let fits = |(at, byte): (usize, u8)| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || (at > 0 && b"_-".contains(&byte))
        };
        // Every valid character is one byte long.
        let wrong = text.bytes().enumerate().position(|pair| !fits(pair));
        match wrong.and_then(|at| text[at..].chars().next()) {
            Some(character) => Err(NameError::Character { name: text.to_owned(), character }),
            None => Ok(()),
        }
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Name::check(text).map(|()| Name(text.into()))
    }
}

/// A package, regardless of version: `acme/zlib`, or `zlib` without a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PkgName {
    /// Distinguishes packages of the same name from different organisations.
    pub namespace: Option<Name>,
    /// The name.
    pub name: Name,
}

impl fmt::Display for PkgName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => self.name.fmt(f),
        }
    }
}

impl FromStr for PkgName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) => {
                Ok(PkgName { namespace: Some(namespace.parse()?), name: name.parse()? })
            }
            None => Ok(PkgName { namespace: None, name: text.parse()? }),
        }
    }
}

/// An exact semantic version.
///
/// Source: Semantic Versioning 2.0.0.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(semver::Version);

impl Version {
    /// Returns the range of the version, those that can stand in for each other, as a requirement: `^1`, `^0.3`,
    /// `^0.0.7`.
    pub fn range(&self) -> String {
        match (self.0.major, self.0.minor, self.0.patch) {
            (0, 0, patch) => format!("^0.0.{patch}"),
            (0, minor, _) => format!("^0.{minor}"),
            (major, _, _) => format!("^{major}"),
        }
    }

    /// Compares two versions, ignoring build metadata.
    pub fn precedence(&self, other: &Version) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }

    /// Returns the requirement for exactly this version, ignoring build metadata as always: `=1.9.2`.
    pub fn exactly(&self) -> Requirement {
        let semver::Version { major, minor, patch, ref pre, .. } = self.0;
        let comparator = semver::Comparator {
            op: semver::Op::Exact,
            major,
            minor: Some(minor),
            patch: Some(patch),
            pre: pre.clone(),
        };
        Requirement(semver::VersionReq { comparators: vec![comparator] })
    }

    /// Whether it is a pre-release, which matches only requirements that name a pre-release of the same release.
    pub fn is_pre_release(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// Returns the requirement for this version or a compatible newer one: `^1.9`, `^0.3`, `^0.0.7`.
    ///
    /// For a pre-release, the requirement contains the complete version: `^1.9.0-rc.1`.
    pub fn caret(&self) -> Requirement {
        let semver::Version { major, minor, patch, ref pre, .. } = self.0;
        let is_whole = !pre.is_empty() || (major, minor) == (0, 0);
        let comparator = semver::Comparator {
            op: semver::Op::Caret,
            major,
            minor: Some(minor),
            patch: is_whole.then_some(patch),
            pre: pre.clone(),
        };
        Requirement(semver::VersionReq { comparators: vec![comparator] })
    }
}

/// Why a string is not a version or not a requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The string is not an exact version, for this reason.
    #[error("`{0}` is not a semantic version: {1}")]
    Version(String, String),
    /// The string is not a requirement, for this reason.
    #[error("`{0}` is not a version requirement: {1}")]
    Requirement(String, String),
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        semver::Version::parse(text)
            .map(Version)
            .map_err(|error| VersionError::Version(text.to_owned(), error.to_string()))
    }
}

/// A set of acceptable versions: `^1.2`, `>=1, <3`, `*`; a bare `1.2` means `^1.2`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Requirement(semver::VersionReq);

impl Requirement {
    /// `*`: every version except pre-releases.
    pub const ANY: Requirement = Requirement(semver::VersionReq::STAR);

    /// Returns the requirement that combines all of `requirements`.
    pub fn all<'a>(requirements: impl IntoIterator<Item = &'a Requirement>) -> Requirement {
        let mut comparators: Vec<semver::Comparator> = Vec::new();
        for comparator in requirements.into_iter().flat_map(|all| &all.0.comparators) {
            if !comparators.contains(comparator) {
                comparators.push(comparator.clone());
            }
        }
        Requirement(semver::VersionReq { comparators })
    }

    /// Whether `version` meets the requirement.
    pub fn matches(&self, version: &Version) -> bool {
        self.0.matches(&version.0)
    }
}

impl FromStr for Requirement {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        semver::VersionReq::parse(text)
            .map(Requirement)
            .map_err(|error| VersionError::Requirement(text.to_owned(), error.to_string()))
    }
}

/// The key of a package in one build: `namespace@name@version`; the namespace may be empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PkgKey(Arc<str>);

/// The error for a string that is not a package key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a package key: expected `namespace@name@version`")]
pub struct PkgKeyError(String);

impl PkgKey {
    /// Creates a key.
    pub fn new(namespace: Option<&Name>, name: &Name, version: &Version) -> Self {
        let namespace = namespace.map_or("", Name::as_str);
        PkgKey(format!("{namespace}@{name}@{version}").into())
    }

    /// Returns the key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key as people write it: `acme/zlib@1.3.1`, or `zlib@1.3.1`.
    pub fn label(&self) -> String {
        match self.0.split_once('@') {
            Some(("", rest)) => rest.to_owned(),
            _ => self.0.replacen('@', "/", 1),
        }
    }

    /// Parses a label such as `acme/zlib@1.3.1`; `None` if it is not one.
    pub fn of_label(label: &str) -> Option<PkgKey> {
        let key = match label.split_once('/') {
            Some((namespace, rest)) => format!("{namespace}@{rest}"),
            None => format!("@{label}"),
        };
        key.parse().ok().filter(|key: &PkgKey| key.label() == label)
    }
}

impl FromStr for PkgKey {
    type Err = PkgKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (namespace, rest) = text.split_once('@')?;
            let (name, version) = rest.split_once('@')?;
            let namespace_fits = namespace.is_empty() || Name::check(namespace).is_ok();
            let fits =
                namespace_fits && Name::check(name).is_ok() && version.parse::<Version>().is_ok();
            fits.then(|| PkgKey(text.into()))
        };
        parse().ok_or_else(|| PkgKeyError(text.to_owned()))
    }
}

impl Borrow<str> for PkgKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Reads a string without copying it; `expected` describes it in messages.
pub(crate) fn read_text<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    deserializer: D,
    expected: &str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<T, D::Error> {
    struct Written<'e, F>(&'e str, F);
    impl<T, E: fmt::Display, F: Fn(&str) -> Result<T, E>> Visitor<'_> for Written<'_, F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<S: serde::de::Error>(self, text: &str) -> Result<T, S> {
            (self.1)(text).map_err(S::custom)
        }
    }
    deserializer.deserialize_str(Written(expected, read))
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read_text(deserializer, "a string", str::parse)
            }
        }
    )*};
}

as_text!(Name, Version, Requirement, PkgKey);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names() {
        assert!("zlib".parse::<Name>().is_ok());
        assert!("0ad-data_x".parse::<Name>().is_ok());
        assert!(matches!("Zlib".parse::<Name>(), Err(NameError::Character { character: 'Z', .. })));
        assert!(matches!("-x".parse::<Name>(), Err(NameError::Character { character: '-', .. })));
        assert!(matches!("a".repeat(65).parse::<Name>(), Err(NameError::TooLong(_))));
        assert!("a".repeat(64).parse::<Name>().is_ok());
        assert!(matches!("".parse::<Name>(), Err(NameError::Empty)));
    }

    #[test]
    fn a_package_is_named_with_its_namespace() {
        for text in ["acme/zlib", "zlib"] {
            assert_eq!(text.parse::<PkgName>().unwrap().to_string(), text);
        }
        for text in ["", "/zlib", "acme/", "a/b/c", "Acme/zlib"] {
            assert!(text.parse::<PkgName>().is_err(), "{text}");
        }
    }

    #[test]
    fn requirements_follow_semver() {
        let requirement: Requirement = ">=1, <3".parse().unwrap();
        assert!(requirement.matches(&"2.9.9".parse().unwrap()));
        assert!(!requirement.matches(&"3.0.0".parse().unwrap()));
        assert!("1.2".parse::<Version>().is_err());
    }

    #[test]
    fn a_version_determines_its_compatible_range() {
        let range = |version: &str| version.parse::<Version>().unwrap().range();
        assert_eq!(["1.2.3", "1.0.0-rc.1+b"].map(range), ["^1", "^1"]);
        assert_eq!(["0.3.1", "0.0.7"].map(range), ["^0.3", "^0.0.7"]);
    }

    #[test]
    fn the_requirement_for_a_version_is_as_short_as_it_can_be() {
        for (version, expected) in [
            ("1.9.3", "^1.9"),
            ("0.3.1", "^0.3"),
            ("0.0.7", "^0.0.7"),
            ("2.0.0-rc.1+b", "^2.0.0-rc.1"),
        ] {
            let version: Version = version.parse().unwrap();
            let caret = version.caret();
            assert_eq!(caret.to_string(), expected);
            assert!(caret.matches(&version), "{version}");
            assert_eq!(expected.parse::<Requirement>().unwrap(), caret);
        }
        assert_eq!(Requirement::ANY, "*".parse().unwrap());
    }

    #[test]
    fn build_metadata_has_no_precedence() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert_eq!(version("1.0.0+a").precedence(&version("1.0.0+b")), Ordering::Equal);
        assert_eq!(version("1.0.0-rc.1").precedence(&version("1.0.0")), Ordering::Less);
        assert!(version("1.0.0-rc.1").is_pre_release() && !version("1.0.0+rc.1").is_pre_release());
    }

    #[test]
    fn keys() {
        assert!("@zlib@1.3.1".parse::<PkgKey>().is_ok());
        assert!("acme@zlib@1.3.1-rc.1+b".parse::<PkgKey>().is_ok());
        assert!("zlib@1.3.1".parse::<PkgKey>().is_err());
        let label = |key: &str| key.parse::<PkgKey>().unwrap().label();
        assert_eq!(label("acme@zlib@1.3.1"), "acme/zlib@1.3.1");
        assert_eq!(label("@zlib@1.3.1"), "zlib@1.3.1");
        assert!("@zlib@1.3".parse::<PkgKey>().is_err());
    }
}
