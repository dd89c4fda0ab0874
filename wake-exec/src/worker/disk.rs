//! Adding up what a command holds on disk, where no file system of its own bounds it.
//!
//! Its directories are walked through again and again, a little at a time, so that the worker hears of everything else
//! meanwhile.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::place::STRAIGHT;
use crate::clock;
use crate::job::Limits;
use crate::wire::JobError;

/// Walks through the directories of one command.
pub(crate) struct DiskMeter {
    roots: Vec<OwnedFd>,
    /// Bytes and files that each may hold.
    limits: (u64, u64),
    walk: Walk,
    /// Time spent on this walk.
    spent: Duration,
    /// When to go on.
    next: Instant,
}

/// A walk that has not come to its end.
#[derive(Default)]
struct Walk {
    /// Of the directories still to be read the number of the root and the path from there.
    open: Vec<(usize, CString)>,
    /// Of each root, bytes and files found so far.
    found: Vec<(u64, u64)>,
    /// Files with several names that have been counted.
    linked: HashSet<(u64, u64)>,
}

/// So much is looked at before the worker turns to something else, in files.
const PIECE: usize = 1000;

/// The shortest time between two walks.
const PAUSE: Duration = Duration::from_secs(1);

/// Walks take at most one part in so many of the time.
const SHARE: u32 = 20;

impl DiskMeter {
    /// Of the directories `roots`, each of which may hold what `limits` says.
    pub(crate) fn new(roots: &[BorrowedFd<'_>], limits: &Limits) -> Result<Self, JobError> {
        let roots = roots.iter().map(|root| rustix::io::fcntl_dupfd_cloexec(root, 0));
        let roots =
            roots.collect::<Result<_, _>>().map_err(|errno| JobError::step("open", "/", errno))?;
        let (limits, next) = ((limits.disk, limits.inodes), clock::instant() + PAUSE);
        Ok(DiskMeter { roots, limits, walk: Walk::default(), spent: Duration::ZERO, next })
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks at a little more, if it is time; whether a directory was found to hold more than it may.
    pub(crate) fn is_exceeded(&mut self) -> bool {
        let now = clock::instant();
        if now < self.next {
            return false;
        }
        if self.walk.open.is_empty() {
            let open = (0..self.roots.len()).map(|root| (root, c".".to_owned())).collect();
            let found = vec![(0, 0); self.roots.len()];
            self.walk = Walk { open, found, linked: HashSet::new() };
            self.spent = Duration::ZERO;
        }
        let mut seen = 0;
        while seen < PIECE
            && let Some((root, path)) = self.walk.open.pop()
        {
            // What is gone meanwhile holds nothing.
            seen += self.walk.read(self.roots[root].as_fd(), root, &path).unwrap_or(0) + 1;
        }
        self.spent += now.elapsed();
        if self.walk.open.is_empty() {
            self.next = now + PAUSE.max(self.spent * SHARE);
        }
        let (bytes, files) = self.limits;
        self.walk.found.iter().any(|found| found.0 > bytes || found.1 > files)
    }
}

impl Walk {
    /// Counts what lies in one directory; how much that is.
    fn read(&mut self, from: BorrowedFd<'_>, root: usize, path: &CStr) -> Result<usize, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let dir = rustix::fs::openat2(from, path, flags, Mode::empty(), STRAIGHT)?;
        let mut seen = 0;
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = rustix::fs::statat(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            seen += 1;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let below = [path.to_bytes(), b"/", name.to_bytes()].concat();
                self.open.extend(CString::new(below).ok().map(|below| (root, below)));
            } else if stat.st_nlink > 1 && !self.linked.insert((stat.st_dev, stat.st_ino)) {
                continue;
            }
            let (bytes, files) = &mut self.found[root];
            *bytes += stat.st_blocks.unsigned_abs() * 512;
            *files += 1;
        }
        Ok(seen)
    }
}
