//! Access to documents; the caller reads the disk.

use std::io;

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its kind, with links followed.
    pub kind: Kind,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// Provides directories and files by path. Paths are the given ones, extended by `/` and names.
pub trait Files {
    /// Lists a directory, sorted by name; `None` if it does not exist.
    fn list(&self, dir: &str) -> io::Result<Option<Vec<Entry>>>;
    /// Reads a file; `None` if it does not exist.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

/// Files in memory, by path.
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
