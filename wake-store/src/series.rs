//! Names with numbered documents, none of which ever changes.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{At, StoreError, optional};
use crate::listing::children;
use crate::open::Store;
use crate::publish::{Durability, publish_file};
use crate::removal::make_dir_all;

/// The file that a writer locks.
const LOCK: &str = "=lock";

/// Numbered documents by name. They are their own roots: garbage collection leaves them alone.
///
/// A name consists of at most 200 lower-case letters, digits, `-`, `_` and `.`; callers must ensure this.
#[derive(Debug)]
pub struct Series<'s> {
    store: &'s Store,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its number, from 1.
    pub number: u32,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Store {
    /// Returns the codespecs of this store.
    pub fn codespecs(&self) -> Series<'_> {
        Series { store: self }
    }
}

impl Series<'_> {
    /// Returns the document of a name with the highest number.
    pub fn latest(&self, name: &str) -> Result<Option<Numbered>, StoreError> {
        let mut numbers = numbers(&self.dir(name))?;
        numbers.sort_unstable();
        match numbers.pop() {
            None => Ok(None),
            Some(number) => self.get(name, number),
        }
    }

    /// Returns the document of a name with this number.
    pub fn get(&self, name: &str, number: u32) -> Result<Option<Numbered>, StoreError> {
        let place = self.place(name, number);
        let bytes = optional(fs::read(&place).at(&place))?;
        Ok(bytes.map(|bytes| Numbered { number, bytes }))
    }

    /// Returns the path of a document, for display.
    pub fn place(&self, name: &str, number: u32) -> PathBuf {
        self.dir(name).join(number.to_string())
    }

    /// Returns all names, sorted.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let dirs = children(&self.store.layout().codespecs)?;
        let names = dirs.iter().filter_map(|dir| dir.file_name()?.to_str());
        let names = names.filter(|name| *name != LOCK);
        let mut names: Vec<String> =
            names.map(|name| name.trim_start_matches('=').to_owned()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Calls `next` with the latest document of a name and the next number, and adds the document it returns, if any;
    /// returns the number of the latest one afterwards.
    ///
    /// Nobody else adds one meanwhile. An added document survives a power cut.
    pub fn add(
        &self,
        name: &str,
        next: impl FnOnce(Option<&Numbered>, u32) -> Option<Vec<u8>>,
    ) -> Result<u32, StoreError> {
        let _lock = self.lock()?;
        let latest = self.latest(name)?;
        let number = latest.as_ref().map_or(1, |latest| latest.number + 1);
        let Some(bytes) = next(latest.as_ref(), number) else {
            return Ok(latest.map_or(0, |latest| latest.number));
        };
        let dir = self.dir(name);
        make_dir_all(&dir)?;
        publish_file(&*self.store.session()?, &self.place(name, number), &bytes, Durability::Kept)?;
        let parent = &self.store.layout().codespecs;
        File::open(parent).and_then(|dir| dir.sync_all()).at(parent)?;
        Ok(number)
    }

    /// A name that starts with a dot would be hidden, or be the parent directory.
    fn dir(&self, name: &str) -> PathBuf {
        let lead = if name.starts_with('.') { "=" } else { "" };
        self.store.layout().codespecs.join(format!("{lead}{name}"))
    }

    fn lock(&self) -> Result<File, StoreError> {
        let dir = &self.store.layout().codespecs;
        make_dir_all(dir)?;
        let path = dir.join(LOCK);
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).open(&path).at(&path)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).at(&path)?;
        Ok(file)
    }
}

fn numbers(dir: &Path) -> Result<Vec<u32>, StoreError> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
    Ok(children(dir)?.iter().filter_map(number).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn document_numbers_are_consecutive_and_never_reused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let series = store.codespecs();
        assert!(series.latest("a").unwrap().is_none());
        for number in 1..=12 {
            let added = series.add("a", |latest, next| {
                assert_eq!(latest.map_or(0, |latest| latest.number) + 1, next);
                Some(next.to_string().into_bytes())
            });
            assert_eq!(added.unwrap(), number);
        }
        assert_eq!(series.add("a", |_, _| None).unwrap(), 12);
        assert_eq!(series.get("a", 9).unwrap().unwrap().bytes, b"9");
        assert_eq!(series.latest("a").unwrap().unwrap().bytes, b"12");
        assert!(series.get("a", 13).unwrap().is_none());
        for name in ["..", ".", "-", ".a"] {
            series.add(name, |_, _| Some(name.as_bytes().to_vec())).unwrap();
            assert_eq!(series.latest(name).unwrap().unwrap().bytes, name.as_bytes());
        }
        assert_eq!(series.names().unwrap(), ["-", ".", "..", ".a", "a"]);
    }

    #[test]
    fn concurrent_additions_get_different_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let add = || {
            let store = Store::open(&root).unwrap();
            let added = (0..8).map(|_| store.codespecs().add("a", |_, _| Some(Vec::new())));
            added.collect::<Result<Vec<u32>, _>>().unwrap()
        };
        let mut all: Vec<u32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(add)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        all.sort_unstable();
        assert_eq!(all, (1..=32).collect::<Vec<_>>());
    }
}
