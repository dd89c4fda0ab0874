//! The tags of a package's repository. Source: `spec/packages.md`.

use wake_model::{PkgName, Version};

/// What a tag stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tag {
    /// A version.
    Version(Version),
    /// The N-th statement about a version.
    Statement(Version, u32),
}

impl Tag {
    /// Parses a tag; `None` if it is not one that wake writes.
    pub(super) fn parse(text: &str) -> Option<Tag> {
        let tag = match text.strip_prefix('s') {
            None => Tag::Version(text.replacen('_', "+", 1).parse().ok()?),
            Some(rest) => {
                let (number, version) = rest.split_once('_')?;
                Tag::Statement(version.replacen('_', "+", 1).parse().ok()?, number.parse().ok()?)
            }
        };
        // Only the canonical spelling is accepted.
        (tag.text() == text).then_some(tag)
    }

    /// The text of the tag.
    pub(super) fn text(&self) -> String {
        match self {
            Tag::Version(version) => written(version),
            Tag::Statement(version, number) => format!("s{number}_{}", written(version)),
        }
    }

    /// The version it is about.
    pub(super) fn version(&self) -> &Version {
        match self {
            Tag::Version(version) | Tag::Statement(version, _) => version,
        }
    }
}

fn written(version: &Version) -> String {
    version.to_string().replacen('+', "_", 1)
}

/// The repository of a package, below the prefix of its registry.
pub(super) fn repository(prefix: &str, pkg: &PkgName) -> String {
    let parts = [prefix.to_owned(), pkg.to_string().replace('_', "-")];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_come_back_as_they_were() {
        for text in ["1.2.0", "1.2.0-rc.1_deb-1", "s1_1.2.0", "s12_1.2.0-a_b"] {
            assert_eq!(Tag::parse(text).unwrap().text(), text);
        }
        for text in [
            "latest",
            "1.2",
            "s_1.2.0",
            "s01_1.2.0",
            "s1_",
            "sha256-ab.sig",
            "1.2.0_a_b",
            "1.2.0+a",
        ] {
            assert_eq!(Tag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn repositories_lie_below_the_prefix() {
        let of = |prefix: &str, pkg: &str| repository(prefix, &pkg.parse().unwrap());
        assert_eq!(of("wake/pkgs", "acme/a_b"), "wake/pkgs/acme/a-b");
        assert_eq!(of("", "a"), "a");
    }
}
