//! Watching through the kernel. Source: inotify(7).

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::{WatchError, is_unwatched};

/// A watched directory tree.
pub(crate) struct KernelWatch {
    root: PathBuf,
    inotify: OwnedFd,
    /// The watch of the root's parent directory: removal of the root itself is not reported while some process has it as its
    /// current directory.
    above: Option<i32>,
    /// The watched directories, by watch descriptor.
    dirs: HashMap<i32, PathBuf>,
}

/// All events that change content; reading is not one.
const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::DONT_FOLLOW);

impl KernelWatch {
    /// Watches `root`, without following links.
    pub(crate) fn start(root: &Path) -> Result<KernelWatch, WatchError> {
        let io = |errno: Errno| WatchError::Io { path: root.to_owned(), source: errno.into() };
        let inotify = match inotify::init(CreateFlags::CLOEXEC) {
            Err(Errno::MFILE) => {
                return Err(WatchError::Limit { root: root.to_owned(), watched: 0 });
            }
            inotify => inotify.map_err(io)?,
        };
        let going = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR;
        let above = root.parent().and_then(|dir| inotify::add_watch(&inotify, dir, going).ok());
        let mut watch = KernelWatch { root: root.to_owned(), inotify, above, dirs: HashMap::new() };
        watch.add(root)?;
        Ok(watch)
    }

    /// Returns the number of watched directories.
    pub(crate) fn dirs(&self) -> usize {
        self.dirs.len()
    }

    /// Waits for a change; returns the paths, relative to the root. `None` if notifications were dropped.
    pub(crate) fn wait(&mut self) -> Result<Option<Vec<PathBuf>>, WatchError> {
        let mut buffer = [MaybeUninit::uninit(); 64 << 10];
        loop {
            let mut seen: Vec<(i32, ReadFlags, Option<OsString>)> = Vec::new();
            let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
            loop {
                let event = match reader.next() {
                    Err(Errno::INTR) => continue,
                    Err(errno) => {
                        let path = self.root.clone();
                        return Err(WatchError::Io { path, source: errno.into() });
                    }
                    Ok(event) => event,
                };
                let name =
                    event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                seen.push((event.wd(), event.events(), name));
                if reader.is_buffer_empty() {
                    break;
                }
            }
            let mut changed = Some(Vec::new());
            for (number, events, name) in seen {
                if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                    let root = self.root.clone();
                    self.add(&root)?;
                    changed = None;
                } else if let Some(path) = self.take(number, events, name)?
                    && let Some(changed) = &mut changed
                {
                    changed.push(path);
                }
            }
            if changed.as_ref().is_none_or(|changed| !changed.is_empty()) {
                return Ok(changed);
            }
        }
    }

    /// Processes one event; returns the changed path, if it is a watched one.
    fn take(
        &mut self,
        number: i32,
        events: ReadFlags,
        name: Option<OsString>,
    ) -> Result<Option<PathBuf>, WatchError> {
        if Some(number) == self.above {
            return match name.as_deref() == self.root.file_name() {
                true => Err(WatchError::Gone { root: self.root.clone() }),
                false => Ok(None),
            };
        }
        let Some(dir) = self.dirs.get(&number).cloned() else { return Ok(None) };
        let Some(name) = name else {
            if dir == self.root && events.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF)
            {
                return Err(WatchError::Gone { root: self.root.clone() });
            }
            if events.contains(ReadFlags::IGNORED) {
                self.dirs.remove(&number);
            }
            return Ok(None);
        };
        if is_unwatched(&name) {
            return Ok(None);
        }
        let path = dir.join(name);
        let comes = events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        if comes && events.contains(ReadFlags::ISDIR) {
            self.add(&path)?;
        }
        Ok(path.strip_prefix(&self.root).ok().map(Path::to_owned))
    }

    /// Watches a directory and everything below it; a directory that has disappeared is ignored.
    fn add(&mut self, dir: &Path) -> Result<(), WatchError> {
        let mut open = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            match inotify::add_watch(&self.inotify, &dir, CHANGES) {
                Ok(number) => drop(self.dirs.insert(number, dir.clone())),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => continue,
                Err(Errno::NOSPC | Errno::NOMEM) => {
                    return Err(WatchError::Limit {
                        root: self.root.clone(),
                        watched: self.dirs.len(),
                    });
                }
                Err(errno) => return Err(WatchError::Io { path: dir, source: errno.into() }),
            }
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
            let below = entries.filter_map(Result::ok).filter(is_dir);
            let watched = below.filter(|entry| !is_unwatched(&entry.file_name()));
            open.extend(watched.map(|entry| entry.path()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Waits until `path` is reported.
    fn until(watch: &mut KernelWatch, path: &str) {
        loop {
            let changed = watch.wait().unwrap().unwrap();
            if changed.iter().any(|changed| changed == Path::new(path)) {
                return;
            }
        }
    }

    #[test]
    fn changes_in_new_directories_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::create_dir_all(dir.path().join(".wake/out")).unwrap();
        let mut watch = KernelWatch::start(dir.path()).unwrap();
        assert_eq!(watch.dirs(), 3);
        fs::write(dir.path().join(".wake/out/x"), "").unwrap();
        fs::write(dir.path().join("a/b/f"), "1").unwrap();
        until(&mut watch, "a/b/f");
        fs::create_dir(dir.path().join("new")).unwrap();
        until(&mut watch, "new");
        fs::write(dir.path().join("new/g"), "1").unwrap();
        until(&mut watch, "new/g");
        fs::rename(dir.path().join("a"), dir.path().join("c")).unwrap();
        until(&mut watch, "c");
        fs::remove_file(dir.path().join("c/b/f")).unwrap();
        until(&mut watch, "c/b/f");
    }

    #[test]
    fn a_removed_workspace_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("ws");
        fs::create_dir(&root).unwrap();
        let mut watch = KernelWatch::start(&root).unwrap();
        fs::remove_dir(&root).unwrap();
        assert!(matches!(watch.wait(), Err(WatchError::Gone { .. })));
    }
}
