//! Making things below a directory without ever following a link.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::owners::Owner;
use crate::defaults::input_time;

/// Stay below the start, and let no link decide where.
pub(crate) const STRAIGHT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A directory in which things are made. Nobody else changes it meanwhile.
pub(crate) struct DirWriter<'a> {
    root: BorrowedFd<'a>,
    owner: Option<Owner>,
    /// Nothing new can be made afterwards at and below this path.
    sealed: Option<&'static str>,
    /// So many directories deep things are made by their path from the top.
    shallow: usize,
    made: HashSet<String>,
    /// Those of them that were not there before, and that nothing is mounted on.
    new: HashSet<String>,
    /// The directory in which something was made last, below those that lead to it.
    open: Vec<(String, OwnedFd)>,
}

/// Directories on the way to one that are kept open; deeper ones are reached in one step.
const MOST_OPEN: usize = 32;

/// Walking so many directories costs less than a descriptor.
const SHALLOW: usize = 8;

impl<'a> DirWriter<'a> {
    /// `root` as a place where everything made belongs to `owner`.
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

    /// The same, of a directory that nobody but this process can reach: no link can take the place of a directory that
    /// was made, so that most need not be opened.
    pub(crate) fn unreachable(self) -> Self {
        DirWriter { shallow: SHALLOW, ..self }
    }

    /// The same, where `sealed` and all below it stay this process's own, and the directories there give nobody the right to
    /// make anything new in them.
    ///
    /// Whoever makes them must be one whom rights do not concern.
    pub(crate) fn sealing(self, sealed: &'static str) -> Self {
        DirWriter { sealed: Some(sealed), ..self }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'a> {
        self.root
    }

    /// Makes the directory `path` and its parents, as far as they do not exist.
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
            // If it is one: a link is none.
            Err(Errno::EXIST) => self.go_to(path)?,
            Err(errno) => return Err(errno),
        }
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// Says that something is going to be mounted on the directory `path`, whose times are its own.
    pub(crate) fn cover(&mut self, path: &str) {
        self.new.remove(path);
    }

    /// Makes the regular file `path`, which must not exist, and its parents; open for writing.
    pub(crate) fn file(&mut self, path: &str, mode: u32) -> Result<OwnedFd, Errno> {
        let name = self.beside(path)?;
        // A link in its place is something that exists.
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.here(), name, flags, Mode::from_raw_mode(mode))?;
        if let Some(Owner { uid, gid }) = self.owner_of(path) {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(file)
    }

    /// Makes the symbolic link `path`, which must not exist, and its parents; it has the one time that inputs have.
    pub(crate) fn link(&mut self, path: &str, target: &[u8]) -> Result<(), Errno> {
        let name = self.beside(path)?;
        rustix::fs::symlinkat(target, self.here(), name)?;
        self.give(path, name)?;
        let times = fixed_times(input_time());
        rustix::fs::utimensat(self.here(), name, &times, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Gives the directory itself and all that were made in it the one time that inputs have: making things in them
    /// changed it. Nothing may be made afterwards.
    pub(crate) fn fix_times(self) -> Result<(), Errno> {
        let times = fixed_times(input_time());
        for path in &self.new {
            rustix::fs::utimensat(self.root, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        rustix::fs::utimensat(self.root, ".", &times, AtFlags::empty())
    }

    /// Gives the directory `path` to the owner, who may do everything in it.
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

    /// Lets everybody make things in the directory `path`.
    pub(crate) fn share(&mut self, path: &str) -> Result<(), Errno> {
        self.go_to(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let directory = rustix::fs::openat(self.here(), ".", flags, Mode::empty())?;
        rustix::fs::fchmod(&directory, Mode::from_raw_mode(0o1777))
    }

    /// Whether nothing new may be made at `path`.
    pub(crate) fn is_sealed(&self, path: &str) -> bool {
        self.sealed.is_some_and(|sealed| below(sealed, path).is_some())
    }

    fn owner_of(&self, path: &str) -> Option<Owner> {
        self.owner.filter(|_| !self.is_sealed(path))
    }

    /// Goes to the directory of `path`, or near it, which is made if it does not exist; gives the way on from there.
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

    /// The directory that was gone to.
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

    /// Gives what lies at `path`, `name` from here, to whom it is to belong.
    fn give(&self, path: &str, name: &str) -> Result<(), Errno> {
        let Some(Owner { uid, gid }) = self.owner_of(path) else { return Ok(()) };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(self.here(), name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }
}

/// What of `path` lies below `directory`; none if it lies elsewhere.
fn below<'p>(directory: &str, path: &'p str) -> Option<&'p str> {
    match path.strip_prefix(directory)? {
        rest if directory.is_empty() || rest.is_empty() => Some(rest),
        rest => rest.strip_prefix('/'),
    }
}

/// Gives a file the one time that every input has.
pub(crate) fn fix_time(file: impl AsFd) -> Result<(), Errno> {
    rustix::fs::futimens(file, &fixed_times(input_time()))
}

/// Access and modification at `seconds` since 1970.
pub(crate) fn fixed_times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn things_come_to_lie_where_they_should_whatever_was_made_before() {
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
        assert!(place.file("a/l/through", 0o644).is_err(), "a link decides where");
        assert!(place.file("x/below", 0o644).is_err());
        place.directory("a/b").unwrap();
        for path in files {
            assert!(dir.join(path).is_file(), "{path}");
        }
        assert!(!dir.join("a/b/through").exists());
    }
}
