//! How documents reach this crate: somebody else reads the disk.

use std::io;

/// What lies at a name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is, links followed.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file, and whether its owner may execute it.
    File {
        /// Whether it is executable.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// Hands out directories and files by path. Paths are those that were given, with `/` and names behind them.
pub trait Files {
    /// What lies in a directory, sorted by name; `None` where there is none.
    fn list(&self, dir: &str) -> io::Result<Option<Vec<Entry>>>;
    /// The bytes of a file; `None` where there is none.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

/// Files in memory by path, for those who have no disk.
impl Files for std::collections::BTreeMap<String, Vec<u8>> {
    fn list(&self, dir: &str) -> io::Result<Option<Vec<Entry>>> {
        let below = format!("{dir}/");
        let mut entries: Vec<Entry> = Vec::new();
        for path in self.keys().filter_map(|path| path.strip_prefix(&below)) {
            let (name, kind) = match path.split_once('/') {
                Some((name, _)) => (name, Kind::Directory),
                None => (path, Kind::File { executable: false }),
            };
            if entries.iter().all(|entry| entry.name != name) {
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        entries.sort();
        Ok((!entries.is_empty()).then_some(entries))
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.get(path).cloned())
    }
}
