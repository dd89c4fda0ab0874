//! A tree as a set of directories, most of which stay the same when entries are added.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use super::{Entry, Manifest, Tree, fold};
use crate::digest::TreeDigest;
use crate::path::RelPath;

/// The directories of a tree by path, each with the digests of its subdirectories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    root: TreeDigest,
    dirs: BTreeMap<RelPath, Tree>,
}

impl Directories {
    /// Returns the directories of a complete tree.
    pub fn of(manifest: &Manifest) -> Directories {
        let (root, dirs) = manifest.trees();
        Directories { root, dirs: dirs.into_iter().collect() }
    }

    /// Returns the digest of the root directory.
    pub fn digest(&self) -> TreeDigest {
        self.root
    }

    /// Iterates over the directories and their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Tree)> {
        self.dirs.iter()
    }

    /// Returns the directories, up to the root, that change when `entries` are added; `None` if two things would be
    /// at the same path.
    ///
    /// The cost depends only on the size of these directories, not on how many others there are.
    pub fn with<'p>(
        &self,
        entries: impl IntoIterator<Item = (&'p RelPath, Entry)>,
    ) -> Option<Directories> {
        let mut dirs = BTreeMap::new();
        self.open(RelPath::root(), &mut dirs);
        for (path, entry) in entries {
            let (dir, name) = (path.parent()?, path.file_name()?);
            self.open(dir.clone(), &mut dirs);
            match dirs.get_mut(&dir)?.entries.entry(name.to_owned()) {
                Slot::Vacant(free) => drop(free.insert(entry)),
                Slot::Occupied(there) if *there.get() == entry => {}
                Slot::Occupied(_) => return None,
            }
        }
        let is_something_else = |dir: &RelPath| {
            let Some((above, name)) = dir.dir_and_name() else { return false };
            let there = dirs.get(above).and_then(|above| above.entries.get(name));
            !matches!(there, None | Some(Entry::Dir(_)))
        };
        if dirs.keys().any(is_something_else) {
            return None;
        }
        let (root, dirs) = fold(dirs);
        Some(Directories { root, dirs: dirs.into_iter().collect() })
    }

    /// Adds a directory and its parents to `dirs`.
    fn open(&self, dir: RelPath, dirs: &mut BTreeMap<RelPath, Tree>) {
        let mut next = Some(dir);
        while let Some(dir) = next.filter(|dir| !dirs.contains_key(dir)) {
            next = dir.parent();
            let tree = self.dirs.get(&dir).cloned().unwrap_or_default();
            dirs.insert(dir, tree);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::digest::BlobDigest;
    use crate::tree::Node;

    fn manifest(paths: &[&str]) -> Manifest {
        let node = |path: &str| Node::File {
            blob: BlobDigest::of(path.as_bytes()),
            size: path.len() as u64,
            executable: false,
        };
        Manifest::new(paths.iter().map(|path| (path.parse().unwrap(), node(path)))).unwrap()
    }

    fn with(before: &[&str], added: &[&str]) -> Option<Directories> {
        let added: Vec<RelPath> = added.iter().map(|path| path.parse().unwrap()).collect();
        let entry = |path: &RelPath| Entry::File {
            blob: BlobDigest::of(path.as_str().as_bytes()),
            executable: false,
        };
        Directories::of(&manifest(before)).with(added.iter().map(|path| (path, entry(path))))
    }

    #[test]
    fn adding_files_gives_the_digest_of_the_whole() {
        let before = ["a/b/c", "a/d", "e", "x/y"];
        for added in [&["a/b/f"][..], &["g"], &["n/e/w", "n/o"], &["a/b/c", "a/b/b"], &[]] {
            let whole = manifest(&[&before, added].concat());
            let directories = with(&before, added).unwrap();
            assert_eq!(directories.digest(), whole.digest(), "{added:?}");
            let all: BTreeMap<_, _> = whole.trees().1.into_iter().collect();
            assert!(directories.iter().all(|(path, tree)| all.get(path) == Some(tree)));
            assert!(directories.iter().all(|(path, _)| path.as_str() != "x"), "`x` is unchanged");
        }
    }

    #[test]
    fn two_things_at_one_path_are_refused() {
        assert_eq!(with(&["a/b"], &["a"]), None);
        assert_eq!(with(&["a"], &["a/b"]), None);
        assert_eq!(with(&["z"], &["a", "a/b"]), None);
        assert_eq!(with(&["z"], &["a/b", "a"]), None);
    }
}
