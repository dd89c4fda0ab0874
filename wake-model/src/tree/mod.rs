//! Directories as content: their entries, without times and owners.

mod directories;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::directories::Directories;
use crate::decode::{DecodeError, Decoder, Token};
use crate::digest::{BlobDigest, TreeDigest};
use crate::encode::{Domain, Encoder, digest_bytes, digest_of};
use crate::path::RelPath;
use crate::sorted::SortedMap;

/// One directory: its entries by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Entries by name; names are single path components, sorted by bytes.
    pub entries: BTreeMap<String, Entry>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A regular file: its content and its executable bit.
    File {
        /// The content.
        blob: BlobDigest,
        /// Whether it is executable.
        executable: bool,
    },
    /// A directory.
    Dir(TreeDigest),
    /// A symbolic link, with its target.
    Link(String),
}

impl Tree {
    /// Returns the digest of all entries, recursively. Source: `spec/encoding.md`, tree.
    pub fn digest(&self) -> TreeDigest {
        TreeDigest(digest_bytes(Domain::Tree, &self.encode()))
    }

    /// Returns the canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let Tree { entries } = self;
        let mut bytes = Vec::with_capacity(512);
        let e = &mut Encoder::new(&mut bytes);
        e.list(entries.len());
        for (name, entry) in entries {
            match entry {
                Entry::File { blob, executable } => put_file(e, name, blob, *executable),
                Entry::Dir(tree) => {
                    e.list(3);
                    e.text("dir");
                    e.text(name);
                    e.digest(&tree.0);
                }
                Entry::Link(target) => put_link(e, name, target),
            }
        }
        bytes
    }

    /// Decodes the canonical encoding.
    pub fn decode(encoded: &[u8]) -> Result<Tree, DecodeError> {
        let mut decoder = Decoder::new(encoded);
        let Token::List(count) = decoder.token()? else { return Err(decoder.error()) };
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let (name, entry) = decode_entry(&mut decoder)?;
            entries.insert(name, entry);
        }
        decoder.end()?;
        Ok(Tree { entries })
    }
}

fn decode_entry(decoder: &mut Decoder<'_>) -> Result<(String, Entry), DecodeError> {
    let head = (decoder.token()?, decoder.token()?, decoder.token()?);
    let (Token::List(parts), Token::Text(kind), Token::Text(name)) = head else {
        return Err(decoder.error());
    };
    let entry = match (parts, kind, decoder.token()?) {
        (4, "file", Token::Digest(blob)) => match decoder.token()? {
            Token::Bool(executable) => Entry::File { blob: BlobDigest(blob), executable },
            _ => return Err(decoder.error()),
        },
        (3, "dir", Token::Digest(tree)) => Entry::Dir(TreeDigest(tree)),
        (3, "link", Token::Text(target)) => Entry::Link(target.to_owned()),
        _ => return Err(decoder.error()),
    };
    Ok((name.to_owned(), entry))
}

fn put_file(e: &mut Encoder<'_, Vec<u8>>, name: &str, blob: &BlobDigest, executable: bool) {
    e.list(4);
    e.text("file");
    e.text(name);
    e.digest(&blob.0);
    e.bool(executable);
}

fn put_link(e: &mut Encoder<'_, Vec<u8>>, name: &str, target: &str) {
    e.list(3);
    e.text("link");
    e.text(name);
    e.text(target);
}

/// A whole directory tree as a flat list of paths.
///
/// Non-empty directories are implied and not listed, so each tree has exactly one manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// A sorted list: there is one manifest per result, and most have one node.
    nodes: SortedMap<RelPath, Node>,
}

/// A node of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    /// A regular file.
    File {
        /// The content.
        blob: BlobDigest,
        /// The size in bytes; not part of the identity, because the digest covers it.
        size: u64,
        /// Whether it is executable.
        executable: bool,
    },
    /// An empty directory.
    Dir,
    /// A symbolic link.
    Link {
        /// The link target, as written.
        target: String,
    },
}

/// The error for nodes of a manifest that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is both a file and a directory")]
pub struct ManifestConflict {
    /// The path that is both a file and a directory.
    pub path: RelPath,
}

impl Manifest {
    /// Creates the manifest of these nodes; directories that are not empty are dropped.
    pub fn new(nodes: impl IntoIterator<Item = (RelPath, Node)>) -> Result<Self, ManifestConflict> {
        let all: SortedMap<RelPath, Node> = nodes.into_iter().collect();
        let mut parents = BTreeSet::new();
        for path in all.keys() {
            // If a parent directory is known, so are all above it.
            let _ = path.ancestors().skip(1).find(|dir| !parents.insert(*dir));
        }
        let is_parent: Vec<bool> = all.keys().map(|path| parents.contains(path.as_str())).collect();
        let mut nodes = Vec::with_capacity(all.len());
        for ((path, node), is_parent) in all.into_iter().zip(is_parent) {
            match (is_parent, &node) {
                (true, Node::Dir) => {}
                (true, _) => return Err(ManifestConflict { path }),
                // The root is always a directory, so it needs no node when it is empty.
                (false, Node::Dir) if path.is_root() => {}
                (false, _) => nodes.push((path, node)),
            }
        }
        Ok(Manifest { nodes: nodes.into_iter().collect() })
    }

    /// Iterates over the nodes, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Node)> {
        self.nodes.iter()
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the tree is empty.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the node at exactly this path; `None` for a non-empty directory.
    pub fn get(&self, path: &RelPath) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Whether there is anything at `path` or below it.
    pub fn contains(&self, path: &RelPath) -> bool {
        path.is_root() || self.nodes.iter().any(|(at, _)| at.starts_with(path))
    }

    /// Returns the part at `path` and below, with paths relative to it; `None` if there is nothing.
    pub fn subtree(&self, path: &RelPath) -> Option<Manifest> {
        let below = |(at, node): (&RelPath, &Node)| Some((at.strip(path)?, node.clone()));
        let mut nodes: Vec<_> = self.nodes.iter().filter_map(below).collect();
        if nodes.is_empty() && !path.is_root() {
            return None;
        }
        nodes.retain(|(at, node)| !(at.is_root() && *node == Node::Dir));
        Some(Manifest { nodes: nodes.into_iter().collect() })
    }

    /// Returns the digest of the root directory.
    pub fn digest(&self) -> TreeDigest {
        self.digest_if_flat().unwrap_or_else(|| self.trees().0)
    }

    /// Computes the digest as [`Manifest::trees`] does, without copying, if there are no directories. This is true of
    /// most outputs.
    fn digest_if_flat(&self) -> Option<TreeDigest> {
        let in_root = |(path, node): (&RelPath, &Node)| {
            !matches!(node, Node::Dir) && !path.is_root() && !path.as_str().contains('/')
        };
        if !self.nodes.iter().all(in_root) {
            return None;
        }
        Some(TreeDigest(digest_of(Domain::Tree, |e| {
            e.list(self.nodes.len());
            for (path, node) in self.nodes.iter() {
                match node {
                    Node::File { blob, executable, size: _ } => {
                        put_file(e, path.as_str(), blob, *executable);
                    }
                    Node::Link { target } => put_link(e, path.as_str(), target),
                    Node::Dir => {}
                }
            }
        })))
    }

    /// Returns the digest of the root directory, and every directory of the tree by path.
    pub fn trees(&self) -> (TreeDigest, Vec<(RelPath, Tree)>) {
        let mut dirs: BTreeMap<RelPath, Tree> =
            BTreeMap::from([(RelPath::root(), Tree::default())]);
        for (path, node) in self.nodes.iter() {
            let entry = match node {
                Node::File { blob, executable, size: _ } => {
                    Entry::File { blob: *blob, executable: *executable }
                }
                Node::Link { target } => Entry::Link(target.clone()),
                Node::Dir => {
                    dirs.entry(path.clone()).or_default();
                    continue;
                }
            };
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
            dirs.entry(parent).or_default().entries.insert(name.to_owned(), entry);
        }
        close_over_parents(&mut dirs);
        fold(dirs)
    }
}

fn close_over_parents(dirs: &mut BTreeMap<RelPath, Tree>) {
    let mut missing: Vec<RelPath> = dirs.keys().filter_map(RelPath::parent).collect();
    while let Some(path) = missing.pop() {
        dirs.entry(path).or_insert_with_key(|path| {
            missing.extend(path.parent());
            Tree::default()
        });
    }
}

/// Computes the digests, deepest directories first, and enters each into its parent.
fn fold(mut dirs: BTreeMap<RelPath, Tree>) -> (TreeDigest, Vec<(RelPath, Tree)>) {
    let mut order: Vec<RelPath> = dirs.keys().cloned().collect();
    order.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    let mut done = Vec::with_capacity(order.len());
    let mut root = Tree::default().digest();
    for path in order {
        let Some(tree) = dirs.remove(&path) else { continue };
        let digest = tree.digest();
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => {
                dirs.entry(parent).or_default().entries.insert(name.to_owned(), Entry::Dir(digest));
            }
            _ => root = digest,
        }
        done.push((path, tree));
    }
    (root, done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    fn file(bytes: &[u8]) -> Node {
        Node::File { blob: BlobDigest::of(bytes), size: bytes.len() as u64, executable: false }
    }

    fn manifest(nodes: &[(&str, Node)]) -> Manifest {
        Manifest::new(nodes.iter().map(|(at, node)| (path(at), node.clone()))).unwrap()
    }

    #[test]
    fn the_digest_is_that_of_the_nested_trees() {
        let inner = Tree {
            entries: BTreeMap::from([(
                "c".to_owned(),
                Entry::File { blob: BlobDigest::of(b"x"), executable: false },
            )]),
        };
        let middle =
            Tree { entries: BTreeMap::from([("b".to_owned(), Entry::Dir(inner.digest()))]) };
        let outer =
            Tree { entries: BTreeMap::from([("a".to_owned(), Entry::Dir(middle.digest()))]) };
        assert_eq!(manifest(&[("a/b/c", file(b"x"))]).digest(), outer.digest());
    }

    #[test]
    fn a_directory_is_decoded_from_its_bytes() {
        let link = Node::Link { target: "a".into() };
        let whole = manifest(&[("a", file(b"x")), ("b/c", file(b"")), ("d", link)]);
        for (_, tree) in whole.trees().1 {
            assert_eq!(Tree::decode(&tree.encode()), Ok(tree.clone()));
            let bytes = tree.encode();
            for cut in 0..bytes.len() {
                assert!(Tree::decode(&bytes[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn a_flat_manifest_has_the_digest_of_its_tree() {
        let link = Node::Link { target: "a".into() };
        let tool = Node::File { blob: BlobDigest::of(b"x"), size: 1, executable: true };
        let nodes = [("a", file(b"1")), ("a-b", tool), ("b.c", link), ("z", file(b""))];
        for count in 0..=nodes.len() {
            let flat = manifest(&nodes[..count]);
            assert!(flat.digest_if_flat().is_some());
            assert_eq!(flat.digest(), flat.trees().0);
        }
        assert_eq!(manifest(&[("a", Node::Dir)]).digest_if_flat(), None);
        assert_eq!(manifest(&[("a/b", file(b""))]).digest_if_flat(), None);
    }

    #[test]
    fn an_empty_directory_counts_and_an_implied_one_does_not() {
        let with = manifest(&[("a", file(b"")), ("d", Node::Dir)]);
        assert_ne!(with.digest(), manifest(&[("a", file(b""))]).digest());
        let implied = manifest(&[("d/a", file(b"")), ("d", Node::Dir)]);
        assert_eq!(implied, manifest(&[("d/a", file(b""))]));
    }

    #[test]
    fn similar_trees_have_different_digests() {
        let variants = [
            manifest(&[]),
            manifest(&[("a", file(b"x"))]),
            manifest(&[("a", file(b"y"))]),
            manifest(&[("b", file(b"x"))]),
            manifest(&[("a", Node::Dir)]),
            manifest(&[("a", Node::Link { target: "x".into() })]),
            manifest(&[("a/b", file(b"x"))]),
            manifest(&[("a\nb", file(b"x"))]),
            manifest(&[(
                "a",
                Node::File { blob: BlobDigest::of(b"x"), size: 1, executable: true },
            )]),
        ];
        for (i, left) in variants.iter().enumerate() {
            for right in &variants[i + 1..] {
                assert_ne!(left.digest(), right.digest(), "{left:?} {right:?}");
            }
        }
    }

    #[test]
    fn a_file_that_is_also_a_directory_is_refused() {
        let nodes = [(path("a"), file(b"")), (path("a/b"), file(b""))];
        assert_eq!(Manifest::new(nodes), Err(ManifestConflict { path: path("a") }));
    }

    #[test]
    fn subtrees_have_the_digest_they_have_inside() {
        let whole = manifest(&[("a/b/c", file(b"x")), ("z", file(b"y"))]);
        let (_, trees) = whole.trees();
        let (_, inner) = trees.iter().find(|(at, _)| at.as_str() == "a/b").unwrap();
        assert_eq!(whole.subtree(&path("a/b")).unwrap().digest(), inner.digest());
        assert!(whole.subtree(&path("nope")).is_none());
        let has = ["a/b", "a/b/c", "z", "a", "nope", "a/b/cc"].map(|at| whole.contains(&path(at)));
        assert_eq!(has, [true, true, true, true, false, false]);
    }
}
