//! Where a checkout may have changed since it was compared whole.

use std::collections::{BTreeMap, BTreeSet};

use super::file::Snapshot;

/// Paths, from the root of the workspace, at which something came, went or changed; of a directory that came or went, itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    paths: BTreeSet<String>,
}

/// Files of a directory that are to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Names<'a> {
    All,
    These(BTreeSet<&'a str>),
}

impl Touched {
    /// Notes a path.
    pub fn note(&mut self, path: String) {
        self.paths.insert(path);
    }

    /// Notes all of `others`.
    pub fn note_all(&mut self, others: Touched) {
        self.paths.extend(others.paths);
    }

    /// The number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The directories of a snapshot that may be other ones, by number, with the files to look at: the directory that a path
    /// lies in, and every one at the path or below it.
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
