//! What an archive may contain and how much.

use super::entry_path::{EntryPath, EntryPathError};
use super::node::{Meta, Node};
use unicode_normalization::UnicodeNormalization;

/// The limits on an archive. Exceeding them is an error; nothing is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivePolicy {
    /// Which file names are allowed.
    pub names: Names,
    /// Where symbolic links may point.
    pub links: Links,
    /// The maximum number of entries.
    pub max_entries: u64,
    /// The maximum number of bytes after decompression.
    pub max_bytes: u64,
    /// The maximum number of bytes after decompression per compressed byte, once [`ArchivePolicy::RATIO_GRACE`] bytes
    /// have been decompressed.
    pub max_ratio: u64,
    /// The maximum length of a path in bytes.
    pub max_path: usize,
    /// The maximum number of components of a path.
    pub max_depth: usize,
}

/// Which file names are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Whatever Linux can name and UTF-8 can encode. `a\b` and `C:x` are one component each.
    Unix,
    /// Names that every file system can distinguish: no backslash, colon, device name, trailing dot or space, and no
    /// two names that differ only in case or Unicode composition.
    Portable,
}

/// Where symbolic links may point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Anywhere: the target is kept and never followed. Root file systems need this.
    Any,
    /// Only inside the tree.
    Inside,
}

impl ArchivePolicy {
    /// The number of decompressed bytes before the ratio is checked.
    pub const RATIO_GRACE: u64 = 64 << 20;

    /// For wares, which are often whole root file systems.
    pub const WARE: ArchivePolicy = ArchivePolicy {
        names: Names::Unix,
        links: Links::Any,
        max_entries: 4_000_000,
        max_bytes: 256 << 30,
        max_ratio: 4096,
        max_path: 4096,
        max_depth: 128,
    };

    /// For untrusted packages.
    pub const PACKAGE: ArchivePolicy = ArchivePolicy {
        names: Names::Portable,
        links: Links::Inside,
        max_entries: 200_000,
        max_bytes: 4 << 30,
        max_ratio: 1024,
        max_path: 1024,
        max_depth: 64,
    };

    /// For untrusted root file systems: names and links as in wares, limits on size as in packages.
    pub const ROOT: ArchivePolicy = ArchivePolicy {
        names: Names::Unix,
        links: Links::Any,
        max_path: 4096,
        max_depth: 128,
        ..Self::PACKAGE
    };

    /// For a layer of a container image: limits on size as in wares.
    pub const IMAGE: ArchivePolicy = ArchivePolicy { max_ratio: 1024, ..Self::WARE };

    /// Checks the spelling of `path`.
    pub(crate) fn check_path(&self, path: &EntryPath) -> Result<(), EntryPathError> {
        if path.as_str().len() > self.max_path {
            return Err(EntryPathError::Long);
        }
        if path.depth() > self.max_depth {
            return Err(EntryPathError::Deep);
        }
        if self.names == Names::Portable && !path.as_str().split('/').all(is_portable) {
            return Err(EntryPathError::NotPortable);
        }
        Ok(())
    }

    /// Returns whether the policy allows the target of the node at `path`.
    pub(crate) fn allows_link(&self, path: &EntryPath, meta: &Meta) -> bool {
        match (&meta.node, self.links) {
            (Node::Symlink { target }, Links::Inside) => stays_inside(path, target),
            _ => true,
        }
    }
}

/// Returns a name as seen by a file system that ignores case and Unicode composition.
pub(crate) fn folded(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

fn is_portable(name: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let forbidden =
        |c: char| c.is_control() || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*');
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']))
    };
    !name.contains(forbidden)
        && !name.ends_with(['.', ' '])
        && !DEVICES.contains(&stem.as_str())
        && !numbered("com")
        && !numbered("lpt")
}

/// Returns whether `target`, resolved from the directory of `path`, never climbs above the root at any point.
pub(crate) fn stays_inside(path: &EntryPath, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    let mut depth = path.depth().saturating_sub(1);
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn x6_names_that_other_systems_confuse_are_not_portable() {
        for name in ["a\\b", "C:x", "nul", "NUL.txt", "com1.log", "x.", "x ", "a\tb", "what?"] {
            assert!(!is_portable(name), "{name}");
        }
        for name in ["a", ".gitignore", "a b", "com", "com10", "nullable", "ä.txt"] {
            assert!(is_portable(name), "{name}");
        }
    }

    #[test]
    fn folding_ignores_case_and_composition() {
        assert_eq!(folded("A\u{308}pfel"), folded("ÄPFEL"));
        assert_ne!(folded("a"), folded("b"));
    }

    #[test]
    fn x4_links_may_not_leave_the_tree_at_any_point() {
        let path = EntryPath::parse(b"a/b/link").unwrap();
        assert!(stays_inside(&path, "../c"));
        assert!(stays_inside(&path, "../../c"));
        assert!(!stays_inside(&path, "../../../a/b"));
        assert!(!stays_inside(&path, "/etc"));
    }
}
