//! Making things below a directory without ever following a link.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::confine::Owner;
use crate::defaults::SOURCE_DATE_EPOCH;

/// Stay below the start, and let no link decide where.
pub(crate) const STRAIGHT: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A directory in which things are made.
pub(crate) struct Place {
    root: OwnedFd,
    owner: Option<Owner>,
    made: HashSet<String>,
}

impl Place {
    /// `root` as a place where everything made belongs to `owner`.
    pub(crate) fn new(root: OwnedFd, owner: Option<Owner>) -> Self {
        Place { root, owner, made: HashSet::new() }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Makes the directory `path` and its parents, as far as they do not exist.
    pub(crate) fn directory(&mut self, path: &str) -> Result<(), Errno> {
        if path.is_empty() || self.made.contains(path) {
            return Ok(());
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.directory(parent)?;
        let holder = self.open(parent)?;
        match rustix::fs::mkdirat(holder.fd(), name, Mode::from_raw_mode(0o755)) {
            Ok(()) => self.give(holder.fd(), name)?,
            Err(Errno::EXIST) => drop(self.open(path)?),
            Err(errno) => return Err(errno),
        }
        self.made.insert(path.to_owned());
        Ok(())
    }

    /// Makes the regular file `path`, which must not exist, and its parents; open for writing.
    pub(crate) fn file(&mut self, path: &str, mode: u32) -> Result<OwnedFd, Errno> {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent)?;
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let file = rustix::fs::openat2(&self.root, path, flags, mode, STRAIGHT)?;
        if let Some(Owner { uid, gid }) = self.owner {
            rustix::fs::fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(file)
    }

    /// Makes the symbolic link `path`, which must not exist, and its parents.
    pub(crate) fn link(&mut self, path: &str, target: &[u8]) -> Result<(), Errno> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.directory(parent)?;
        let holder = self.open(parent)?;
        rustix::fs::symlinkat(target, holder.fd(), name)?;
        self.give(holder.fd(), name)
    }

    /// Takes away the right to make anything new in the directories made at and below `path`.
    pub(crate) fn seal(&self, path: &str) -> Result<(), Errno> {
        let inside = |made: &&String| {
            made.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        for made in self.made.iter().filter(inside) {
            let (parent, name) = made.rsplit_once('/').unwrap_or(("", made));
            let holder = self.open(parent)?;
            rustix::fs::chmodat(holder.fd(), name, Mode::from_raw_mode(0o555), AtFlags::empty())?;
        }
        Ok(())
    }

    fn open(&self, directory: &str) -> Result<Opened<'_>, Errno> {
        if directory.is_empty() {
            return Ok(Opened::Root(self.root.as_fd()));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.root, directory, flags, Mode::empty(), STRAIGHT)
            .map(Opened::Below)
    }

    fn give(&self, holder: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
        let Some(Owner { uid, gid }) = self.owner else { return Ok(()) };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        rustix::fs::chownat(holder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
    }
}

enum Opened<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl Opened<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Opened::Root(root) => *root,
            Opened::Below(fd) => fd.as_fd(),
        }
    }
}

/// Gives a file the one time that every input has.
pub(crate) fn fix_time(file: impl AsFd) -> Result<(), Errno> {
    rustix::fs::futimens(file, &fixed_times(SOURCE_DATE_EPOCH.parse().unwrap_or(0)))
}

/// Access and modification at `seconds` since 1970.
pub(crate) fn fixed_times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}
