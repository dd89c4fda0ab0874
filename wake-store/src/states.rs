//! Build states that other checkouts can start from: files whose content only the builder understands.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::confined::ConfinedPath;
use crate::error::{At, StoreError};
use crate::listing::children;
use crate::open::Store;
use crate::removal::remove_file;

/// How many are kept, and how many bytes in addition to the newest.
const KEPT: usize = 32;
const KEPT_BYTES: u64 = 256 << 20;

impl Store {
    /// Stores the file at `from`, which must never be changed in place, as the state `name`; deletes the oldest states
    /// if there are too many.
    ///
    /// It is hard-linked rather than copied where the file system supports that.
    pub fn keep_state(&self, name: &str, from: &ConfinedPath) -> Result<(), StoreError> {
        let place = self.state(name);
        let copy = |_| {
            let mut from = from.open()?;
            place.replace(|file| io::copy(&mut from, file).map(drop))
        };
        place.replace_by_link(from, || ()).or_else(copy).at(&place.path())?;
        forget_oldest(&self.layout().states, &place.path())
    }

    /// Returns the path of the state `name`; it need not exist, and is not checked.
    pub fn state(&self, name: &str) -> ConfinedPath {
        self.confined(&self.layout().states).join(name)
    }
}

fn forget_oldest(dir: &Path, newest: &Path) -> Result<(), StoreError> {
    let mut found: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for path in children(dir)?.into_iter().filter(|path| path != newest) {
        // Another process may have been faster.
        if let Ok(metadata) = fs::symlink_metadata(&path) {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push((used, metadata.size(), path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    let mut bytes = 0;
    for (number, (_, size, path)) in found.iter().enumerate() {
        bytes += size;
        if number + 1 >= KEPT || bytes > KEPT_BYTES {
            remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn states_are_found_by_name_and_the_oldest_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let from = dir.path().join("state");
        for number in 0..KEPT + 2 {
            let _ = fs::remove_file(&from);
            fs::write(&from, number.to_string()).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            fs::File::options().write(true).open(&from).unwrap().set_modified(time).unwrap();
            let from = ConfinedPath::top(dir.path()).unwrap().join("state");
            store.keep_state(&format!("s{number}"), &from).unwrap();
            // Storing the same again, as when nothing has changed.
            store.keep_state(&format!("s{number}"), &from).unwrap();
        }
        assert_eq!(children(&store.layout().states).unwrap().len(), KEPT);
        assert!(!store.state("s1").path().exists());
        assert_eq!(fs::read_to_string(store.state("s2").path()).unwrap(), "2");
        assert_eq!(
            fs::read_to_string(store.state(&format!("s{}", KEPT + 1)).path()).unwrap(),
            "33"
        );
        assert!(
            children(&store.layout().tmp)
                .unwrap()
                .iter()
                .all(|session| { children(session).unwrap().is_empty() })
        );
    }
}
