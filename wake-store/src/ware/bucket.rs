//! Collects the nodes of a tree in any order and computes the tree's hash.

use super::entry_path::EntryPath;
use super::filters::{FilterRejection, Passage, Rules};
use super::hash::Sha384Digest;
use super::node::{Body, Coverage, Meta, node_hash};
use std::collections::BTreeMap;

/// The nodes of one tree. Memory grows with the number of nodes, not with their content.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    /// Keyed by path, directories with a trailing slash: the order in which nodes are hashed.
    nodes: BTreeMap<String, Slot>,
}

#[derive(Debug)]
struct Slot {
    path: EntryPath,
    meta: Meta,
    content: Option<Sha384Digest>,
}

/// Why a node cannot join the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// Another node is declared at this path.
    Duplicate,
    /// This ancestor is not a directory.
    NotADirectory(EntryPath),
}

/// The result of adding a node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AddedNode {
    /// Directories that no record has declared so far, outermost first.
    pub(crate) conjured: Vec<EntryPath>,
    /// Whether the node's own directory existed before: the last declaration counts.
    pub(crate) replaces_dir: bool,
}

impl Bucket {
    /// Adds the node at `path`, with the undeclared directories above it.
    pub(crate) fn add(
        &mut self,
        path: &EntryPath,
        meta: Meta,
        content: Option<Sha384Digest>,
    ) -> Result<AddedNode, Conflict> {
        let conjured = self.conjure_parents(path)?;
        let (key, other_key) = keys(path, &meta);
        if self.nodes.contains_key(&other_key) {
            return Err(Conflict::Duplicate);
        }
        let replaces_dir = match self.nodes.get(&key) {
            None => false,
            Some(slot) if slot.meta.is_dir() && meta.is_dir() => true,
            Some(_) => return Err(Conflict::Duplicate),
        };
        self.nodes.insert(key, Slot { path: path.clone(), meta, content });
        Ok(AddedNode { conjured, replaces_dir })
    }

    /// Sets the content of the file at `path`, which was added before.
    pub(crate) fn set_content(&mut self, path: &EntryPath, content: Sha384Digest) {
        if let Some(slot) = self.nodes.get_mut(path.as_str()) {
            slot.content = Some(content);
        }
    }

    /// Returns the node at `path` that is not a directory.
    pub(crate) fn get(&self, path: &EntryPath) -> Option<&Meta> {
        self.nodes.get(path.as_str()).map(|slot| &slot.meta)
    }

    /// Returns all nodes in hashing order, including conjured ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&EntryPath, &Meta)> {
        self.nodes.values().map(|slot| (&slot.path, &slot.meta))
    }

    /// Returns the tree that `rules` turn this one into.
    pub(crate) fn filtered(&self, rules: &Rules) -> Result<Bucket, FilterRejection> {
        let mut nodes = BTreeMap::new();
        for (key, slot) in &self.nodes {
            let Slot { path, content, .. } = slot;
            let mut meta = slot.meta.clone();
            if rules.apply(path, &mut meta)? == Passage::Through {
                let slot = Slot { path: path.clone(), meta, content: *content };
                nodes.insert(key.clone(), slot);
            }
        }
        Ok(Bucket { nodes })
    }

    /// Returns the hash of the whole tree. A tree without nodes is an empty conjured directory.
    pub(crate) fn root_hash(&self, coverage: Coverage) -> Sha384Digest {
        let conjured = Meta::conjured();
        // An explicit stack: the depth of an untrusted tree must not become the depth of recursion.
        let mut open: Vec<(&str, &str, &Meta, Vec<Sha384Digest>)> = Vec::new();
        let mut root = None;
        let close = |open: &mut Vec<(&str, &str, &Meta, Vec<Sha384Digest>)>| {
            let (_, name, meta, children) = open.pop()?;
            let hash = node_hash(name, meta, Body::Children(&children));
            match open.last_mut() {
                Some((.., siblings)) => {
                    siblings.push(hash);
                    None
                }
                None => Some(hash),
            }
        };
        for (key, slot) in &self.nodes {
            while open.last().is_some_and(|(above, ..)| !key.starts_with(above)) {
                root = close(&mut open).or(root);
            }
            let name = slot.path.name();
            let body = match (&slot.content, slot.meta.is_dir()) {
                (_, true) => {
                    open.push((key, name, &slot.meta, Vec::new()));
                    continue;
                }
                (Some(content), false) => Body::Content(content),
                (None, false) => Body::Nothing,
            };
            let counts = slot.content.is_some() || coverage == Coverage::EveryNode;
            match open.last_mut() {
                Some((.., siblings)) if counts => siblings.push(node_hash(name, &slot.meta, body)),
                Some(_) => {}
                None => root = Some(node_hash(name, &slot.meta, body)),
            }
        }
        while !open.is_empty() {
            root = close(&mut open).or(root);
        }
        root.unwrap_or_else(|| node_hash(".", &conjured, Body::Children(&[])))
    }

    fn conjure_parents(&mut self, path: &EntryPath) -> Result<Vec<EntryPath>, Conflict> {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(dir) = above {
            let (key, file_key) = keys(&dir, &Meta::conjured());
            if self.nodes.get(&file_key).is_some_and(|slot| !slot.meta.is_dir()) {
                return Err(Conflict::NotADirectory(dir));
            }
            if self.nodes.contains_key(&key) {
                break;
            }
            above = dir.parent();
            missing.push(dir);
        }
        missing.reverse();
        for dir in &missing {
            let meta = Meta::conjured();
            let slot = Slot { path: dir.clone(), content: None, meta };
            self.nodes.insert(keys(dir, &slot.meta).0, slot);
        }
        Ok(missing)
    }
}

/// Returns the key of a node, and the one that a node of the other kind at the same path would have.
fn keys(path: &EntryPath, meta: &Meta) -> (String, String) {
    if path.is_root() {
        // One key whatever the root is; the other cannot belong to any path.
        return (String::new(), "/".to_owned());
    }
    let plain = path.as_str().to_owned();
    let dir = format!("{plain}/");
    if meta.is_dir() { (dir, plain) } else { (plain, dir) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ware::node::Node;

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text.as_bytes()).unwrap()
    }

    fn link(target: &str) -> Meta {
        Meta { node: Node::Symlink { target: target.to_owned() }, ..Meta::conjured() }
    }

    fn file() -> Meta {
        Meta { node: Node::File { size: 0 }, perms: 0o644, ..Meta::conjured() }
    }

    fn root_of(nodes: &[(&str, Meta)], coverage: Coverage) -> Sha384Digest {
        let mut bucket = Bucket::default();
        for (at, meta) in nodes {
            let content = matches!(meta.node, Node::File { .. }).then(|| Sha384Digest::of(b""));
            bucket.add(&path(at), meta.clone(), content).unwrap();
        }
        bucket.root_hash(coverage)
    }

    #[test]
    fn only_tree_ids_cover_links() {
        let (one, other) = ([("a", link("x"))], [("a", link("y"))]);
        let rio = Coverage::FilesAndDirs;
        assert_eq!(root_of(&one, rio), root_of(&other, rio));
        assert_ne!(root_of(&one, Coverage::EveryNode), root_of(&other, Coverage::EveryNode));
    }

    #[test]
    fn the_order_of_entries_does_not_matter() {
        let nodes =
            [("a-x", Meta::conjured()), ("a", Meta::conjured()), ("a/f", file()), ("a.d", file())];
        let mut reversed = nodes.clone();
        reversed.reverse();
        assert_eq!(root_of(&nodes, Coverage::EveryNode), root_of(&reversed, Coverage::EveryNode));
    }

    #[test]
    fn conjured_directories_equal_declared_ones() {
        let declared = [(".", Meta::conjured()), ("a", Meta::conjured()), ("a/f", file())];
        assert_eq!(
            root_of(&declared, Coverage::FilesAndDirs),
            root_of(&declared[2..], Coverage::FilesAndDirs)
        );
    }

    #[test]
    fn x5_a_directory_cannot_become_something_else() {
        let mut bucket = Bucket::default();
        bucket.add(&path("a/f"), file(), None).unwrap();
        assert_eq!(bucket.add(&path("a"), link("/etc"), None).unwrap_err(), Conflict::Duplicate);
        assert_eq!(bucket.add(&path("a/f"), file(), None).unwrap_err(), Conflict::Duplicate);
        for _ in 0..2 {
            assert!(bucket.add(&path("a"), Meta::conjured(), None).unwrap().replaces_dir);
        }
        assert_eq!(bucket.add(&path("a"), file(), None).unwrap_err(), Conflict::Duplicate);
    }

    #[test]
    fn x2_no_path_goes_through_a_link() {
        let mut bucket = Bucket::default();
        bucket.add(&path("l"), link("/etc"), None).unwrap();
        let conflict = bucket.add(&path("l/passwd"), file(), None).unwrap_err();
        assert_eq!(conflict, Conflict::NotADirectory(path("l")));
    }
}
