//! What an archive may hold and how much of it.

use super::entry_path::{EntryPath, EntryPathError};
use super::node::{Meta, Node};
use unicode_normalization::UnicodeNormalization;

/// The limits that an archive must keep. Everything beyond them is an error, never skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivePolicy {
    /// Which file names are allowed.
    pub names: Names,
    /// Where symbolic links may point.
    pub links: Links,
    /// How many entries, at most.
    pub max_entries: u64,
    /// How many bytes after decompression, at most.
    pub max_bytes: u64,
    /// How many bytes may come out for each byte that goes in, once [`ArchivePolicy::RATIO_GRACE`] bytes came out.
    pub max_ratio: u64,
    /// How many bytes a path has, at most.
    pub max_path: usize,
    /// How many components a path has, at most.
    pub max_depth: usize,
}

/// Which file names are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Whatever Linux can name and UTF-8 can spell. `a\b` and `C:x` are one component each.
    Unix,
    /// What every file system tells apart: no backslash, colon, device name, trailing dot or space,
    /// and no two names that differ only in case or Unicode composition.
    Portable,
}

/// Where symbolic links may point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Anywhere: the text is kept and never followed. Root file systems need this.
    Any,
    /// Only inside the tree.
    Inside,
}

impl ArchivePolicy {
    /// Bytes that may come out of an archive before its ratio counts.
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

    /// For packages from strangers.
    pub const PACKAGE: ArchivePolicy = ArchivePolicy {
        names: Names::Portable,
        links: Links::Inside,
        max_entries: 200_000,
        max_bytes: 4 << 30,
        max_ratio: 1024,
        max_path: 1024,
        max_depth: 64,
    };

    /// For root file systems from strangers: what they may be called and lead to as in wares, how much there may be of them
    /// as in packages.
    pub const ROOT: ArchivePolicy = ArchivePolicy {
        names: Names::Unix,
        links: Links::Any,
        max_path: 4096,
        max_depth: 128,
        ..Self::PACKAGE
    };

    /// For a layer of a container image: there may be as much of it as of a ware.
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

    /// Whether the policy allows the node at `path` to point where it points.
    pub(crate) fn allows_link(&self, path: &EntryPath, meta: &Meta) -> bool {
        match (&meta.node, self.links) {
            (Node::Symlink { target }, Links::Inside) => stays_inside(path, target),
            _ => true,
        }
    }
}

/// What a name looks like to a file system that ignores case and Unicode composition.
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

/// Whether `target`, read from the directory of `path`, never climbs above the root at any point on its way.
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
    fn x4_links_may_not_climb_out_on_the_way() {
        let path = EntryPath::parse(b"a/b/link").unwrap();
        assert!(stays_inside(&path, "../c"));
        assert!(stays_inside(&path, "../../c"));
        assert!(!stays_inside(&path, "../../../a/b"));
        assert!(!stays_inside(&path, "/etc"));
    }
}
