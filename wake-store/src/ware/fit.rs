//! Whether a tree that lies in the store already keeps the limits that its archive would have to keep.

use std::collections::BTreeMap;

use wake_model::{Manifest, Node, RelPath};

use super::entry_path::{EntryPath, EntryPathError};
use super::policy::{ArchivePolicy, Links, Names, folded, stays_inside};

/// Why a tree does not keep the limits of a policy.
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
    /// Two paths that some file system takes for one.
    #[error("`{path}` and `{other}` are one file to some file systems")]
    Alias {
        /// The one.
        path: String,
        /// The other.
        other: String,
    },
    /// A link that leads out of the tree.
    #[error("the link `{path}` leads out of it, to `{target}`")]
    LinkLeaves {
        /// The link.
        path: String,
        /// Its text.
        target: String,
    },
    /// Too much of it.
    #[error("it has more than {most} files and links")]
    Entries {
        /// How many there may be.
        most: u64,
    },
    /// Too many bytes.
    #[error("its files have more than {most} bytes")]
    Bytes {
        /// How many there may be.
        most: u64,
    },
}

impl ArchivePolicy {
    /// Whether a tree is one that an archive may hold; the first thing that is wrong with it otherwise, by path.
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
            // A directory is spelt by what lies in it.
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
    fn what_an_archive_may_hold_is_fit() {
        let nodes = [("a/b/c", file(3)), ("a/link", link("b/c")), ("d/up", link("../a"))];
        ArchivePolicy::PACKAGE.check_tree(&tree(&nodes)).unwrap();
        ArchivePolicy::PACKAGE.check_tree(&tree(&[])).unwrap();
    }

    #[test]
    fn what_it_may_not_hold_is_named() {
        assert_eq!(
            fault(&[("a/evil", link("../../etc"))]),
            "the link `a/evil` leads out of it, to `../../etc`"
        );
        assert_eq!(
            fault(&[("a/evil", link("/etc/passwd"))]),
            "the link `a/evil` leads out of it, to `/etc/passwd`"
        );
        assert_eq!(fault(&[("a:b", file(1))]), "`a:b` has a name that is not portable");
        assert_eq!(
            fault(&[("Dir/a", file(1)), ("dir/b", file(1))]),
            "`dir` and `Dir` are one file to some file systems"
        );
        assert_eq!(
            fault(&[("a", file(4 << 30)), ("b", file(1))]),
            "its files have more than 4294967296 bytes"
        );
        let deep = format!("{}x", "d/".repeat(64));
        assert_eq!(fault(&[(&deep, file(1))]), format!("`{deep}` is too deep"));
    }
}
