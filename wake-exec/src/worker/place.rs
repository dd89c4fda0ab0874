//! Creates entries below a directory without ever following a link.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::owners::Owner;
use crate::defaults::input_time;

/// Resolution stays below the start and follows no link.
pub(crate) const STRAIGHT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A directory in which entries are created. Nobody else changes it meanwhile.
pub(crate) struct DirWriter<'a> {
    root: BorrowedFd<'a>,
    owner: Option<Owner>,
    /// Nothing new can be created later at or below this path.
    sealed: Option<&'static str>,
    /// Down to this depth, entries are created by their path from the top.
    shallow: usize,
    made: HashSet<String>,
    /// Those of `made` that did not exist before and have no mount on them.
    new: HashSet<String>,
    /// The directory in which something was last created, after those that lead to it.
    open: Vec<(String, OwnedFd)>,
}

/// The number of directories on a path that are kept open; deeper ones are reached in one step.
const MOST_OPEN: usize = 32;

/// Walking this many directories costs less than a descriptor.
const SHALLOW: usize = 8;

impl<'a> DirWriter<'a> {
    /// Creates a writer for `root` in which everything created belongs to `owner`.
    pub(crate) fn new(root: BorrowedFd<'a>, owner: Option<Owner>) -> Self {
        DirWriter {
            root,
            owner,
            sealed: None,
            shallow: 0,
            made: HashSet::new(),
            new: HashSet::new(),
            open: Vec::new(),
        }
    }

    /// As above, for a directory that only this process can reach: no link can replace a directory that was created, so
    /// most need not be opened.
    pub(crate) fn unreachable(self) -> Self {
        DirWriter { shallow: SHALLOW, ..self }
    }

    /// As above, but `sealed` and everything below it remain this process's own, and the directories there give nobody
    /// permission to create anything in them.
    ///
    /// The calling process must be exempt from permission checks.
    pub(crate) fn sealing(self, sealed: &'static str) -> Self {
        DirWriter { sealed: Some(sealed), ..self }
    }

    /// Returns the directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'a> {
        self.root
    }

    /// Creates the directory `path` and its parents, where they do not exist.
    pub(crate) fn directory(&mut self, path: &str) -> Result<(), Errno> {
        if path.is_empty() || self.made.contains(path) {
            return Ok(());
        }
        let name = self.beside(path)?;
        let mode = Mode::from_raw_mode(if self.is_sealed(path) { 0o555 } else { 0o755 });
        match rustix::fs::mkdirat(self.here(), name, mode) {
            Ok(()) => {
                self.give(path, name)?;
                self.new.insert(path.to_owned());
            }
            // Only if it is a directory: a link is not.
            Err(Errno::EXIST) => self.go_to(path)?,
            Err(errno) => return Err(errno),
        }
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// Announces a mount on the directory `path`, which brings its own times.
    pub(crate) fn cover(&mut self, path: &str) {
        self.new.remove(path);
    }

    /// Creates the regular file `path`, which must not exist, and its parents; returns it open for writing.
    pub(crate) fn file(&mut self, path: &str, mode: u32) -> Result<OwnedFd, Errno> {
        let name = self.beside(path)?;
        // A link in its place counts as existing.
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.here(), name, flags, Mode::from_raw_mode(mode))?;
        if let Some(Owner { uid, gid }) = self.owner_of(path) {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(file)
    }

    /// Creates the symbolic link `path`, which must not exist, and its parents; its time is that of all inputs.
    pub(crate) fn link(&mut self, path: &str, target: &[u8]) -> Result<(), Errno> {
        let name = self.beside(path)?;
        rustix::fs::symlinkat(target, self.here(), name)?;
        self.give(path, name)?;
        let times = fixed_times(input_time());
        rustix::fs::utimensat(self.here(), name, &times, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Sets the times of the directory itself and of all directories created in it to that of all inputs: creating
    /// entries changed them. Nothing may be created afterwards.
    pub(crate) fn fix_times(self) -> Result<(), Errno> {
        let times = fixed_times(input_time());
        for path in &self.new {
            rustix::fs::utimensat(self.root, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::utimensat(self.root, ".", &times, AtFlags::empty())
    }

    /// Gives the directory `path` to the owner, with full permissions.
    pub(crate) fn own(&mut self, path: &str) -> Result<(), Errno> {
        self.go_to(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(self.here(), ".", flags, Mode::empty())?;
        if let Some(Owner { uid, gid }) = self.owner {
            rustix::fs::fchown(&directory, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&directory)?.st_mode);
        rustix::fs::fchmod(&directory, mode | Mode::RWXU)
    }

    /// Makes the directory `path` writable for everybody.
    pub(crate) fn share(&mut self, path: &str) -> Result<(), Errno> {
        self.go_to(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(self.here(), ".", flags, Mode::empty())?;
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o1777))
    }

    /// Returns whether nothing new may be created at `path`.
    pub(crate) fn is_sealed(&self, path: &str) -> bool {
        self.sealed.is_some_and(|sealed| below(sealed, path).is_some())
    }

    fn owner_of(&self, path: &str) -> Option<Owner> {
        self.owner.filter(|_| !self.is_sealed(path))
    }

    /// Goes to the directory of `path`, or near it, creating it if it does not exist; returns the remaining path.
    fn beside<'p>(&mut self, path: &'p str) -> Result<&'p str, Errno> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.directory(parent)?;
        if path.split('/').count() <= self.shallow {
            self.open.clear();
            return Ok(path);
        }
        self.go_to(parent)?;
        Ok(name)
    }

    /// Returns the current directory.
    fn here(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.root, |(_, directory)| directory.as_fd())
    }

    fn go_to(&mut self, directory: &str) -> Result<(), Errno> {
        while self.open.pop_if(|(open, _)| below(open, directory).is_none()).is_some() {}
        let at = self.open.last().map_or("", |(open, _)| open);
        let Some(rest) = below(at, directory).filter(|rest| !rest.is_empty()) else {
            return Ok(());
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let (steps, mut length) = (rest.split('/'), directory.len() - rest.len());
        if self.open.len() + steps.clone().count() > MOST_OPEN {
            self.open.clear();
            let opened = rustix::fs::openat2(self.root, directory, flags, Mode::empty(), STRAIGHT)?;
            self.open.push((directory.to_owned(), opened));
            return Ok(());
        }
        for step in steps {
            let opened = rustix::fs::openat(self.here(), step, flags, Mode::empty())?;
            length += step.len();
            self.open.push((directory[..length].to_owned(), opened));
            length += 1;
        }
        Ok(())
    }

    /// Gives what is at `path`, which is `name` in the current directory, to its owner.
    fn give(&self, path: &str, name: &str) -> Result<(), Errno> {
        let Some(Owner { uid, gid }) = self.owner_of(path) else { return Ok(()) };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(self.here(), name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// Returns the part of `path` below `directory`; none if it is elsewhere.
fn below<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    match path.strip_prefix(directory)? {
        rest if directory.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

/// Sets a file's time to that of all inputs.
pub(crate) fn fix_time(file: impl AsFd) -> Result<(), Errno> {
    rustix::fs::futimens(file, &fixed_times(input_time()))
}

/// Returns `seconds` since 1970 as access and modification time.
pub(crate) fn fixed_times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_are_created_at_their_paths_in_any_order() {
        check(|place| place);
        check(|place| place.unreachable());
    }

    fn check(kind: for<'p> fn(DirWriter<'p>) -> DirWriter<'p>) {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let root = rustix::fs::open(dir, flags, Mode::empty()).unwrap();
        let mut place = kind(DirWriter::new(root.as_fd(), None));
        let deep = vec!["d"; 3 * MOST_OPEN].join("/");
        let deep_file = format!("{deep}/f");
        let files = ["a/b/c", "a/bb", "a/b/d", "x", "ab/c", "a/b/c2/e", deep_file.as_str(), "d/f"];
        for path in files {
            place.file(path, 0o644).unwrap();
        }
        place.link("a/l", b"b").unwrap();
        assert_eq!(place.file("a/b/c", 0o644).unwrap_err(), Errno::EXIST);
        assert!(place.file("a/l/through", 0o644).is_err(), "a link would choose the location");
        assert!(place.file("x/below", 0o644).is_err());
        place.directory("a/b").unwrap();
        for path in files {
            assert!(dir.join(path).is_file(), "{path}");
        }
        assert!(!dir.join("a/b/through").exists());
    }
}
