//! Watching by polling, where the kernel cannot report changes.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{WatchError, is_unwatched};

/// A polled directory tree.
pub(crate) struct PollWatch {
    root: PathBuf,
    /// The root's device and inode, to detect a replaced root.
    identity: (u64, u64),
    pause: Duration,
    seen: BTreeMap<PathBuf, Seen>,
}

/// The state of a file or directory in one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    identity: (u64, u64),
    mode: u32,
    /// `None` for a directory: its entries are scanned themselves.
    content: Option<Content>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl PollWatch {
    /// Scans everything below `root`, to be repeated after each `pause`.
    pub(crate) fn start(root: &Path, pause: Duration) -> Result<PollWatch, WatchError> {
        let identity = identity(root)?;
        let seen = look(root);
        Ok(PollWatch { root: root.to_owned(), identity, pause, seen })
    }

    /// Waits for a change; returns the paths, relative to the root.
    pub(super) fn wait(&mut self) -> Result<Vec<PathBuf>, WatchError> {
        loop {
            thread::sleep(self.pause);
            if identity(&self.root)? != self.identity {
                return Err(WatchError::Gone { root: self.root.clone() });
            }
            let seen = look(&self.root);
            let changed = different(&self.seen, &seen);
            self.seen = seen;
            if !changed.is_empty() {
                return Ok(changed);
            }
        }
    }
}

fn identity(root: &Path) -> Result<(u64, u64), WatchError> {
    match fs::symlink_metadata(root) {
        Ok(metadata) => Ok((metadata.dev(), metadata.ino())),
        Err(_) => Err(WatchError::Gone { root: root.to_owned() }),
    }
}

impl Seen {
    fn of(metadata: &Metadata) -> Seen {
        let content = (!metadata.is_dir()).then(|| Content {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        });
        Seen { identity: (metadata.dev(), metadata.ino()), mode: metadata.mode(), content }
    }
}

/// Scans everything below `root`, by relative path. Unreadable entries are skipped.
fn look(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(root.join(&dir)) else { continue };
        for entry in entries.filter_map(Result::ok) {
            let name = entry.file_name();
            let Ok(metadata) = entry.metadata() else { continue };
            if is_unwatched(&name) {
                continue;
            }
            let path = dir.join(name);
            if metadata.is_dir() {
                open.push(path.clone());
            }
            seen.insert(path, Seen::of(&metadata));
        }
    }
    seen
}

/// Returns the paths at which two scans differ.
fn different(before: &BTreeMap<PathBuf, Seen>, now: &BTreeMap<PathBuf, Seen>) -> Vec<PathBuf> {
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let other = now.iter().filter(|(path, seen)| before.get(*path) != Some(seen));
    gone.chain(other.map(|(path, _)| path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_additions_removals_and_changes_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at(".wake")).unwrap();
        fs::write(at("a/b/f"), "1").unwrap();
        fs::write(at("a/g"), "1").unwrap();
        let before = look(dir.path());
        assert_eq!(different(&before, &look(dir.path())), [] as [PathBuf; 0]);
        fs::write(at(".wake/x"), "1").unwrap();
        fs::write(at("a/b/f"), "12").unwrap();
        fs::rename(at("a/g"), at("a/h")).unwrap();
        fs::create_dir(at("new")).unwrap();
        let paths = ["a/g", "a/b/f", "a/h", "new"].map(PathBuf::from);
        assert_eq!(different(&before, &look(dir.path())), paths);
    }

    #[test]
    fn a_removed_or_replaced_workspace_is_an_error() {
        for is_replaced in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("ws");
            fs::create_dir(&root).unwrap();
            let mut watch = PollWatch::start(&root, Duration::ZERO).unwrap();
            fs::rename(&root, dir.path().join("away")).unwrap();
            if is_replaced {
                fs::create_dir(&root).unwrap();
            }
            assert!(matches!(watch.wait(), Err(WatchError::Gone { .. })));
        }
    }
}
