//! Checks whether a tree in the store respects the limits that its archive would have to respect.

use std::collections::BTreeMap;

use wake_model::{Manifest, Node, RelPath};

use super::entry_path::{EntryPath, EntryPathError};
use super::policy::{ArchivePolicy, Links, Names, folded, stays_inside};

/// Why a tree violates a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitTree {
    /// A path that the policy does not allow.
    #[error("`{path}` {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: EntryPathError,
    },
    /// Two paths that some file systems cannot distinguish.
    #[error("`{path}` and `{other}` are one file on some file systems")]
    Alias {
        /// One path.
        path: String,
        /// The other path.
        other: String,
    },
    /// A link that points outside the tree.
    #[error("the link `{path}` points outside it: `{target}`")]
    LinkLeaves {
        /// The link.
        path: String,
        /// Its target.
        target: String,
    },
    /// There are too many entries.
    #[error("it has more than {most} files and links")]
    Entries {
        /// The maximum.
        most: u64,
    },
    /// There are too many bytes.
    #[error("its files exceed {most} bytes")]
    Bytes {
        /// The maximum.
        most: u64,
    },
}

impl ArchivePolicy {
    /// Checks whether an archive may contain this tree; returns the first violation, by path.
    pub fn check_tree(&self, manifest: &Manifest) -> Result<(), UnfitTree> {
        let mut spellings: BTreeMap<String, RelPath> = BTreeMap::new();
        let mut bytes: u64 = 0;
        if manifest.len() as u64 > self.max_entries {
            return Err(UnfitTree::Entries { most: self.max_entries });
        }
        for (path, node) in manifest.iter() {
            let shown = path.as_str().to_owned();
            let wrong = |problem| UnfitTree::Path { path: path.as_str().to_owned(), problem };
            let entry = EntryPath::parse(path.as_str().as_bytes()).map_err(wrong)?;
            self.check_path(&entry).map_err(wrong)?;
            // The spelling of a directory comes from its entries.
            let dirs = path.ancestors().filter(|_| self.names == Names::Portable);
            for dir in dirs.filter(|dir| !dir.is_empty()) {
                let dir = RelPath::parse(dir).unwrap_or_default();
                let alike = spellings.entry(folded(dir.as_str())).or_insert_with(|| dir.clone());
                if *alike != dir {
                    let other = alike.as_str().to_owned();
                    return Err(UnfitTree::Alias { path: dir.as_str().to_owned(), other });
                }
            }
            match node {
                Node::Link { target }
                    if self.links == Links::Inside && !stays_inside(&entry, target) =>
                {
                    return Err(UnfitTree::LinkLeaves { path: shown, target: target.clone() });
                }
                Node::File { size, .. } => bytes = bytes.saturating_add(*size),
                Node::Link { .. } | Node::Dir => {}
            }
            if bytes > self.max_bytes {
                return Err(UnfitTree::Bytes { most: self.max_bytes });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_model::BlobDigest;

    use super::*;

    fn tree(nodes: &[(&str, Node)]) -> Manifest {
        let nodes = nodes.iter().map(|(path, node)| (path.parse().unwrap(), node.clone()));
        Manifest::new(nodes).unwrap()
    }

    fn file(size: u64) -> Node {
        Node::File { blob: BlobDigest::of(b"x"), size, executable: false }
    }

    fn link(target: &str) -> Node {
        Node::Link { target: target.to_owned() }
    }

    fn fault(nodes: &[(&str, Node)]) -> String {
        ArchivePolicy::PACKAGE.check_tree(&tree(nodes)).unwrap_err().to_string()
    }

    #[test]
    fn a_tree_allowed_in_an_archive_is_accepted() {
        let nodes = [("a/b/c", file(3)), ("a/link", link("b/c")), ("d/up", link("../a"))];
        ArchivePolicy::PACKAGE.check_tree(&tree(&nodes)).unwrap();
        ArchivePolicy::PACKAGE.check_tree(&tree(&[])).unwrap();
    }

    #[test]
    fn entries_not_allowed_in_an_archive_are_named() {
        assert_eq!(
            fault(&[("a/evil", link("../../etc"))]),
            "the link `a/evil` points outside it: `../../etc`"
        );
        assert_eq!(
            fault(&[("a/evil", link("/etc/passwd"))]),
            "the link `a/evil` points outside it: `/etc/passwd`"
        );
        assert_eq!(fault(&[("a:b", file(1))]), "`a:b` has a name that is not portable");
        assert_eq!(
            fault(&[("Dir/a", file(1)), ("dir/b", file(1))]),
            "`dir` and `Dir` are one file on some file systems"
        );
        assert_eq!(
            fault(&[("a", file(4 << 30)), ("b", file(1))]),
            "its files exceed 4294967296 bytes"
        );
        let deep = format!("{}x", "d/".repeat(64));
        assert_eq!(fault(&[(&deep, file(1))]), format!("`{deep}` is too deep"));
    }
}
