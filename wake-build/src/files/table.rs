//! A concurrent table of what is known of all paths.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table};
use wake_model::RelPath;

use super::FileState;
use super::known::{Entry, FileInfo};

/// Entries by path.
#[derive(Default)]
pub(super) struct Table {
    /// Seeded anew in each process, so that collisions cannot be provoked.
    hasher: DefaultHashBuilder,
    shards: [Shard; SHARDS],
}

type Shard = Mutex<HashTable<Entry>>;

const SHARDS: usize = 16;

/// A path with its hash, which is computed once.
pub(super) struct At<'t, 'p> {
    table: &'t Table,
    hash: u64,
    path: &'p RelPath,
}

impl Table {
    /// Returns the slot for `path`.
    pub(super) fn at<'t, 'p>(&'t self, path: &'p RelPath) -> At<'t, 'p> {
        At { table: self, hash: self.hash(path), path }
    }

    /// Reserves room for about `more` paths.
    pub(super) fn expect(&self, more: usize) {
        for shard in &self.shards {
            // The shards are not filled evenly.
            let share = more / SHARDS;
            lock(shard).reserve(share + share / 16, |entry| self.hash(entry.path()));
        }
    }

    /// Returns all entries, unordered; blocks other access meanwhile.
    pub(super) fn all(&self) -> All<'_> {
        All { shards: self.shards.iter().map(lock).collect() }
    }

    fn hash(&self, path: &RelPath) -> u64 {
        self.hasher.hash_one(path.as_str())
    }
}

impl At<'_, '_> {
    /// Calls `look` with the entry, if there is one.
    pub(super) fn with<T>(&self, look: impl FnOnce(Option<&Entry>) -> T) -> T {
        look(lock(self.shard()).find(self.hash, |entry| entry.path() == self.path))
    }

    /// Marks the path as unread, unless something is known of it already.
    pub(super) fn glanced_at(&self) {
        self.entry(|_| ());
    }

    /// Records what is known of the path; if something was known before, returns that, and it stays.
    ///
    /// Two threads may read a file while it is edited: all conclusions must follow from one of the two texts.
    pub(super) fn keep(&self, known: FileInfo) -> Option<FileState> {
        self.entry(|entry| {
            let before = entry.known().map(FileInfo::seen);
            if before.is_none() {
                entry.set(known);
            }
            before
        })
    }

    /// Calls `change` with the entry, creating it if necessary.
    fn entry<T>(&self, change: impl FnOnce(&mut Entry) -> T) -> T {
        let mut shard = lock(self.shard());
        let is_it = |entry: &Entry| entry.path() == self.path;
        let hash = |entry: &Entry| self.table.hash(entry.path());
        change(match shard.entry(self.hash, is_it, hash) {
            hash_table::Entry::Occupied(there) => there.into_mut(),
            hash_table::Entry::Vacant(free) => {
                free.insert(Entry::unread(self.path.clone())).into_mut()
            }
        })
    }

    fn shard(&self) -> &Shard {
        // Bits that the tables do not use first.
        &self.table.shards[(self.hash >> 32) as usize % SHARDS]
    }
}

/// All entries of a table.
pub(super) struct All<'t> {
    shards: Vec<MutexGuard<'t, HashTable<Entry>>>,
}

impl All<'_> {
    /// Iterates over them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, HashTable<Entry>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn path(text: impl ToString) -> RelPath {
        RelPath::parse(&text.to_string()).unwrap()
    }

    fn link(text: &str) -> FileInfo {
        FileInfo::new(FileState::Link(text.to_owned()), None, true)
    }

    /// Returns none without an entry, and `Some(None)` for an unread one.
    fn seen(table: &Table, text: &str) -> Option<Option<FileState>> {
        table.at(&path(text)).with(|entry| entry.map(|entry| entry.known().map(FileInfo::seen)))
    }

    #[test]
    fn an_entry_is_found_only_under_its_path() {
        let table = Table::default();
        table.expect(100);
        for number in 0..1000 {
            table.at(&path(number)).glanced_at();
        }
        assert_eq!(seen(&table, "7"), Some(None));
        for number in 0..1000 {
            assert_eq!(table.at(&path(number)).keep(link(&number.to_string())), None);
        }
        assert_eq!(seen(&table, "7"), Some(Some(FileState::Link("7".to_owned()))));
        assert_eq!(seen(&table, "1000"), None);
        let mut paths: Vec<_> = table.all().iter().map(|entry| entry.path().clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 1000);
    }

    #[test]
    fn the_first_known_entry_is_kept() {
        let (table, first) = (Table::default(), FileState::Link("first".to_owned()));
        let path = path("a/b");
        assert_eq!(table.at(&path).keep(link("first")), None);
        assert_eq!(table.at(&path).keep(link("second")), Some(first.clone()));
        table.at(&path).glanced_at();
        assert_eq!(seen(&table, "a/b"), Some(Some(first)));
    }
}
