//! What is known of all paths, for many threads at once.

use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, HashTable};
use wake_model::RelPath;

use super::known::{Entry, Known};

/// Entries by path.
#[derive(Default)]
pub(super) struct Table {
    /// Seeded anew in each process: a path's text cannot be made to fall together with others.
    hasher: DefaultHashBuilder,
    shards: [Shard; SHARDS],
}

type Shard = Mutex<HashTable<Entry>>;

const SHARDS: usize = 16;

/// The place of one path, whose hash is computed once however often it is looked at.
pub(super) struct At<'t, 'p> {
    table: &'t Table,
    hash: u64,
    path: &'p RelPath,
}

impl Table {
    /// Where `path` is, or would be.
    pub(super) fn at<'t, 'p>(&'t self, path: &'p RelPath) -> At<'t, 'p> {
        At { table: self, hash: self.hash(path), path }
    }

    /// Makes room for about `more` paths, so that growing by and by need not move what is there.
    pub(super) fn expect(&self, more: usize) {
        for shard in &self.shards {
            // They are not filled quite evenly.
            let share = more / SHARDS;
            lock(shard).reserve(share + share / 16, |entry| self.hash(entry.path()));
        }
    }

    /// All entries, in no order; nobody else can look at any meanwhile.
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

    /// Notes what is known of the path from now on; none: it is still to be read.
    pub(super) fn put(&self, known: Option<Known>) {
        let mut shard = lock(self.shard());
        match shard.find_mut(self.hash, |entry| entry.path() == self.path) {
            Some(entry) => entry.set(known),
            None => {
                let entry = Entry::new(self.path.clone(), known);
                shard.insert_unique(self.hash, entry, |entry| self.table.hash(entry.path()));
            }
        }
    }

    fn shard(&self) -> &Shard {
        // Bits that the tables themselves do not begin with.
        &self.table.shards[(self.hash >> 32) as usize % SHARDS]
    }
}

/// All entries of a table.
pub(super) struct All<'t> {
    shards: Vec<MutexGuard<'t, HashTable<Entry>>>,
}

impl All<'_> {
    /// Each of them.
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
    use super::super::Seen;
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text).unwrap()
    }

    #[test]
    fn what_is_put_last_is_found_under_its_path_alone() {
        let table = Table::default();
        let link = |text: String| Some(Known::new(Seen::Link(text), None, true));
        let seen = |text: &str| {
            table.at(&path(text)).with(|entry| entry.map(|entry| entry.known().map(Known::seen)))
        };
        table.expect(100);
        for number in 0..1000 {
            table.at(&path(&format!("dir/{number}"))).put(None);
        }
        assert_eq!(seen("dir/7"), Some(None));
        for number in 0..1000 {
            table.at(&path(&format!("dir/{number}"))).put(link(number.to_string()));
        }
        assert_eq!(seen("dir/7"), Some(Some(Seen::Link("7".to_owned()))));
        assert_eq!(seen("dir/1000"), None);
        assert_eq!(seen("dir"), None);
        let mut paths: Vec<_> = table.all().iter().map(|entry| entry.path().clone()).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 1000);
    }
}
