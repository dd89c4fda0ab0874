//! The files of a package in the store, known from its manifest alone.

use std::collections::BTreeMap;

use wake_eval::{EntryKind, ListEntry};
use wake_model::{Manifest, Node, RelPath};

use super::FileState;

/// Returns the state of a path.
pub(super) fn look(manifest: &Manifest, path: &RelPath) -> FileState {
    match manifest.get(path) {
        Some(Node::File { blob, size, executable }) => {
            FileState::File { blob: *blob, size: *size, executable: *executable }
        }
        Some(Node::Link { target }) => FileState::Link(target.clone()),
        Some(Node::Dir) => FileState::Dir,
        None if manifest.contains(path) => FileState::Dir,
        None => FileState::Absent,
    }
}

/// Returns the entries of a directory; none if it does not exist.
pub(super) fn list(manifest: &Manifest, dir: &RelPath) -> Option<Vec<ListEntry>> {
    if look(manifest, dir) != FileState::Dir {
        return None;
    }
    let mut entries = BTreeMap::new();
    for (path, node) in manifest.iter() {
        let Some(below) = path.strip(dir).filter(|below| !below.is_root()) else { continue };
        let (name, kind) = match (below.as_str().split_once('/'), node) {
            (Some((name, _)), _) => (name, EntryKind::Dir),
            (None, Node::File { .. }) => (below.as_str(), EntryKind::File),
            (None, Node::Link { .. }) => (below.as_str(), EntryKind::Link),
            (None, Node::Dir) => (below.as_str(), EntryKind::Dir),
        };
        entries.insert(name.to_owned(), kind);
    }
    Some(entries.into_iter().map(|(name, kind)| ListEntry { name, kind }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use wake_eval::Sources;
    use wake_model::BlobDigest;

    use super::*;
    use crate::sources::DirSources;

    fn path(text: &str) -> RelPath {
        if text.is_empty() { RelPath::root() } else { text.parse().unwrap() }
    }

    #[test]
    fn a_manifest_lists_the_same_as_the_directory() {
        let scene = tempfile::tempdir().unwrap();
        let file = |executable| Node::File { blob: BlobDigest::of(b"x"), size: 1, executable };
        let link = Node::Link { target: "../a".to_owned() };
        let nodes = [
            ("a", file(false)),
            ("b/c/d", file(true)),
            ("b/e", link.clone()),
            ("b-c/f", file(false)),
            ("empty", Node::Dir),
        ];
        for (at, node) in &nodes {
            let at = scene.path().join(at);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            match node {
                Node::File { executable, .. } => {
                    fs::write(&at, "x").unwrap();
                    let mode = if *executable { 0o755 } else { 0o644 };
                    fs::set_permissions(&at, fs::Permissions::from_mode(mode)).unwrap();
                }
                Node::Link { target } => symlink(target, &at).unwrap(),
                Node::Dir => fs::create_dir(&at).unwrap(),
            }
        }
        let manifest = Manifest::new(nodes.clone().map(|(at, node)| (path(at), node))).unwrap();
        let sources = DirSources::new(scene.path());
        for dir in ["", "b", "b/c", "b-c", "empty", "nothing", "b/nothing"] {
            let mut there = sources.list(&path(dir)).unwrap();
            if let Some(entries) = &mut there {
                entries.sort_by(|one, other| one.name.cmp(&other.name));
            }
            assert_eq!(list(&manifest, &path(dir)), there, "{dir}");
        }
        assert_eq!(list(&manifest, &path("a")), None);
        for dir in ["", "b", "empty"] {
            assert_eq!(look(&manifest, &path(dir)), FileState::Dir, "{dir}");
        }
        let (blob, size, executable) = (BlobDigest::of(b"x"), 1, true);
        assert_eq!(look(&manifest, &path("b/c/d")), FileState::File { blob, size, executable });
        assert_eq!(look(&manifest, &path("b/e")), FileState::Link("../a".to_owned()));
        assert_eq!(look(&manifest, &path("b/x")), FileState::Absent);
    }
}
