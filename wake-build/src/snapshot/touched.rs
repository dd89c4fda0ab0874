//! Paths at which a checkout may have changed since it was completely compared.

use std::collections::{BTreeMap, BTreeSet};

use super::file::Snapshot;

/// Paths, relative to the root of the workspace, that were created, deleted or changed; for a directory created or deleted, its own path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    paths: BTreeSet<String>,
}

/// The files of a directory to examine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Names<'a> {
    All,
    These(BTreeSet<&'a str>),
}

impl Touched {
    /// Adds a path.
    pub fn note(&mut self, path: String) {
        self.paths.insert(path);
    }

    /// Adds all paths of `others`.
    pub fn note_all(&mut self, others: Touched) {
        self.paths.extend(others.paths);
    }

    /// Returns the number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Returns whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns the paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// Returns the directories of a snapshot that may have changed, by number, with the files to examine: the parent of each
    /// path, and every directory at the path or below it.
    pub(super) fn dirs<'a>(&'a self, snapshot: &Snapshot) -> Option<BTreeMap<usize, Names<'a>>> {
        let mut dirs: BTreeMap<usize, Names<'a>> = BTreeMap::new();
        for path in self.paths() {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            if let Some(number) = snapshot.dir_at(parent) {
                let names = dirs.entry(number).or_insert_with(|| Names::These(BTreeSet::new()));
                if let Names::These(names) = names {
                    names.insert(name);
                }
            }
            if let Some(number) = snapshot.dir_at(path) {
                dirs.insert(number, Names::All);
            }
            let below = format!("{path}/");
            for number in snapshot.first_dir_from(&below)?..snapshot.dirs() {
                if !snapshot.dir_path(number)?.starts_with(&below) {
                    break;
                }
                dirs.insert(number, Names::All);
            }
        }
        Some(dirs)
    }
}
