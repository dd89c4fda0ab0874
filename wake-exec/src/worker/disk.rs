//! Keeping what a command holds on disk within its bound, where no file system of its own does that.
//!
//! Its directories are walked through again and again, a little at a time, so that the worker hears of everything else
//! meanwhile. In between the file system is asked what it has left, which costs next to nothing: as often as a writer at full
//! speed could get from where the command is to the bound. If so much is gone, the directories are walked through at once,
//! for somebody else may have taken it.

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstatvfs};
use rustix::io::Errno;

use super::place::STRAIGHT;
use crate::clock;
use crate::job::Limits;
use crate::wire::JobError;

/// Watches the directories of one command.
pub(crate) struct DiskMeter {
    roots: Vec<OwnedFd>,
    /// What each may hold.
    limits: Amount,
    walk: Walk,
    /// Time spent on this walk.
    spent: Duration,
    /// When to look again.
    next: Instant,
    /// When to walk again, whatever the file system says.
    next_walk: Instant,
    /// What the fullest held by the last walk, and what was free when that began.
    last: Sample,
    /// What was free when the walk that is under way began.
    begun: Amount,
    /// What tells the bytes of open files that have no name any more, where that can be told.
    deleted: Box<dyn Fn() -> u64>,
}

/// Bytes and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    bytes: u64,
    files: u64,
}

#[derive(Clone, Copy)]
struct Sample {
    held: Amount,
    free: Amount,
}

/// What is wrong with what a command holds on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskExcess {
    /// One of its directories holds more than it may.
    Bound,
    /// It holds more than is left of the file system, and that is little.
    Reserve,
}

/// A walk that has not come to its end.
#[derive(Default)]
struct Walk {
    /// Of the directories still to be read the number of the root and the path from there.
    open: Vec<(usize, CString)>,
    /// Of each root, what was found so far.
    found: Vec<Amount>,
    /// Files with several names that have been counted.
    linked: HashSet<(u64, u64)>,
}

/// So much is looked at before the worker turns to something else, in files.
const PIECE: usize = 1000;

/// The shortest time between two walks that nothing calls for.
const PAUSE: Duration = Duration::from_secs(1);

/// Such walks take at most one part in so many of the time.
const SHARE: u32 = 20;

/// No command writes more bytes in a millisecond, nor makes more files.
const FASTEST: Amount = Amount { bytes: 4 << 20, files: 200 };

/// The shortest time between two looks at what is free.
const SHORTEST: Duration = Duration::from_millis(2);

/// Where a file system has less left than this, a command that holds more of it than that is ended, in bytes: what is left is
/// for the results of others, and for the user.
pub(crate) const RESERVE: u64 = 128 << 20;

impl DiskMeter {
    /// Of the directories `roots`, each of which may hold what `limits` says; all lie on one file system. `deleted` tells what
    /// open files hold that have no name any more.
    pub(crate) fn new(
        roots: &[BorrowedFd<'_>],
        limits: &Limits,
        deleted: Box<dyn Fn() -> u64>,
    ) -> Result<Self, JobError> {
        let roots = roots.iter().map(|root| rustix::io::fcntl_dupfd_cloexec(root, 0));
        let roots: Vec<OwnedFd> =
            roots.collect::<Result<_, _>>().map_err(|errno| JobError::step("open", "/", errno))?;
        let now = clock::instant();
        let mut meter = DiskMeter {
            begun: free(&roots),
            last: Sample { held: Amount::default(), free: free(&roots) },
            limits: Amount { bytes: limits.disk, files: limits.inodes },
            walk: Walk::default(),
            spent: Duration::ZERO,
            next: now,
            next_walk: now + PAUSE,
            roots,
            deleted,
        };
        // Inputs lie there already.
        meter.begin();
        Ok(meter)
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time, and at a little more of the directories, if that is called for.
    pub(crate) fn excess(&mut self) -> Option<DiskExcess> {
        let now = clock::instant();
        if now < self.next {
            return None;
        }
        let free = free(&self.roots);
        let held = self.at_most(free);
        let is_full = free.bytes < RESERVE && held.bytes > free.bytes;
        if self.walk.open.is_empty() && (now >= self.next_walk || is_full || self.reaches(held)) {
            self.begin();
        }
        if !self.walk.open.is_empty() {
            self.go_on(now);
        }
        let held = self.walk.fullest();
        if self.exceeds(held) {
            return Some(DiskExcess::Bound);
        }
        if self.walk.open.is_empty() {
            self.next = now + self.wait(self.at_most(free));
            if free.bytes < RESERVE && self.walk.total() > free.bytes {
                return Some(DiskExcess::Reserve);
            }
        }
        None
    }

    /// What lies in the fullest directory, in bytes: for when no process is left that could change it.
    pub(crate) fn measure(&mut self) -> u64 {
        self.begin();
        while !self.walk.open.is_empty() {
            self.go_on(clock::instant());
        }
        self.walk.fullest().bytes
    }

    fn begin(&mut self) {
        self.walk = Walk::of(self.roots.len());
        if let Some(first) = self.walk.found.first_mut() {
            first.bytes = (self.deleted)();
        }
        self.spent = Duration::ZERO;
        self.begun = free(&self.roots);
    }

    fn go_on(&mut self, now: Instant) {
        let mut seen = 0;
        while seen < PIECE
            && let Some((root, path)) = self.walk.open.pop()
        {
            // What is gone meanwhile holds nothing.
            seen += self.walk.read(self.roots[root].as_fd(), root, &path).unwrap_or(0) + 1;
        }
        self.spent += now.elapsed();
        if self.walk.open.is_empty() {
            self.last = Sample { held: self.walk.fullest(), free: self.begun };
            self.next_walk = now + PAUSE.max(self.spent * SHARE);
        }
    }

    /// What the fullest directory can hold, if all went there that is gone since the last walk.
    fn at_most(&self, free: Amount) -> Amount {
        let Sample { held, free: before } = self.last;
        Amount {
            bytes: held.bytes + before.bytes.saturating_sub(free.bytes),
            files: held.files + before.files.saturating_sub(free.files),
        }
    }

    fn exceeds(&self, held: Amount) -> bool {
        held.bytes > self.limits.bytes || held.files > self.limits.files
    }

    fn reaches(&self, held: Amount) -> bool {
        held.bytes >= self.limits.bytes || held.files >= self.limits.files
    }

    /// How long it takes at least from `held` to the bound.
    fn wait(&self, held: Amount) -> Duration {
        let bytes = self.limits.bytes.saturating_sub(held.bytes) / FASTEST.bytes;
        let files = self.limits.files.saturating_sub(held.files) / FASTEST.files;
        Duration::from_millis(bytes.min(files)).clamp(SHORTEST, PAUSE)
    }
}

/// What the file system of the directories has left for ordinary users.
fn free(roots: &[OwnedFd]) -> Amount {
    let stat = roots.first().and_then(|root| fstatvfs(root).ok());
    stat.map_or(Amount::default(), |stat| Amount {
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        files: stat.f_favail,
    })
}

impl Walk {
    /// One of so many roots, at its beginning.
    fn of(roots: usize) -> Self {
        let open = (0..roots).map(|root| (root, c".".to_owned())).collect();
        Walk { open, found: vec![Amount::default(); roots], linked: HashSet::new() }
    }

    /// The most that was found in one root, of either.
    fn fullest(&self) -> Amount {
        self.found.iter().fold(Amount::default(), |most, found| Amount {
            bytes: most.bytes.max(found.bytes),
            files: most.files.max(found.files),
        })
    }

    /// The bytes found in all.
    fn total(&self) -> u64 {
        self.found.iter().map(|found| found.bytes).sum()
    }

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
            let found = &mut self.found[root];
            found.bytes += stat.st_blocks.unsigned_abs() * 512;
            found.files += 1;
        }
        Ok(seen)
    }
}
