//! Keeps a command's disk usage within its bound where no file system of its own enforces it.
//!
//! The command's directories are walked again and again, a little at a time, so that the worker can handle everything
//! else meanwhile. In between, the file system is asked for its free space, which costs next to nothing: as often as a
//! writer at full speed could get from the present usage to the bound. If that much space is gone, the directories are
//! walked at once, because somebody else may have used it.

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
    /// Time spent on the current walk.
    spent: Duration,
    /// When to check again.
    next: Instant,
    /// When to walk again, whatever the file system reports.
    next_walk: Instant,
    /// The usage of the fullest directory in the last walk, and the free space when that walk began.
    last: Sample,
    /// The free space when the current walk began.
    begun: Amount,
    /// Returns the size of open files that no longer have a name, if that can be determined.
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

/// How a command's disk usage is excessive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskExcess {
    /// One of its directories holds more than it may.
    Bound,
    /// It holds more than is left on the file system, and little is left.
    Reserve,
}

/// A walk in progress.
#[derive(Default)]
struct Walk {
    /// The directories still to be read: the index of the root and the path from there.
    open: Vec<(usize, CString)>,
    /// The usage found so far, by root.
    found: Vec<Amount>,
    /// Files with several names that have been counted.
    linked: HashSet<(u64, u64)>,
}

/// The number of files visited before the worker does something else.
const PIECE: usize = 1000;

/// The shortest time between two walks without a cause.
const PAUSE: Duration = Duration::from_secs(1);

/// Such walks take at most one part in this many of the time.
const SHARE: u32 = 20;

/// No command writes more bytes, or creates more files, in a millisecond.
const FASTEST: Amount = Amount { bytes: 4 << 20, files: 200 };

/// The shortest time between two checks of the free space.
const SHORTEST: Duration = Duration::from_millis(2);

/// If less than this is left on a file system, a command that holds more than this is killed, in bytes: the rest is for
/// the results of others, and for the user.
pub(crate) const RESERVE: u64 = 128 << 20;

impl DiskMeter {
    /// Watches the directories `roots`, each of which may hold `limits`; all are on one file system. `deleted` returns
    /// the size of open files that no longer have a name.
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
        // Inputs are there already.
        meter.begin();
        Ok(meter)
    }

    /// Returns when to check again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Checks, if it is time, and continues the walk a little, if one is called for.
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

    /// Returns the bytes in the fullest directory: for use when no process is left that could change it.
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
            // Something removed meanwhile holds nothing.
            seen += self.walk.read(self.roots[root].as_fd(), root, &path).unwrap_or(0) + 1;
        }
        self.spent += now.elapsed();
        if self.walk.open.is_empty() {
            self.last = Sample { held: self.walk.fullest(), free: self.begun };
            self.next_walk = now + PAUSE.max(self.spent * SHARE);
        }
    }

    /// Returns the most that the fullest directory can hold, if all space lost since the last walk went there.
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

    /// Returns the shortest time in which `held` can reach the bound.
    fn wait(&self, held: Amount) -> Duration {
        let bytes = self.limits.bytes.saturating_sub(held.bytes) / FASTEST.bytes;
        let files = self.limits.files.saturating_sub(held.files) / FASTEST.files;
        Duration::from_millis(bytes.min(files)).clamp(SHORTEST, PAUSE)
    }
}

/// Returns what the directories' file system has left for ordinary users.
fn free(roots: &[OwnedFd]) -> Amount {
    let stat = roots.first().and_then(|root| fstatvfs(root).ok());
    stat.map_or(Amount::default(), |stat| Amount {
        bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        files: stat.f_favail,
    })
}

impl Walk {
    /// Starts a walk of this many roots.
    fn of(roots: usize) -> Self {
        let open = (0..roots).map(|root| (root, c".".to_owned())).collect();
        Walk { open, found: vec![Amount::default(); roots], linked: HashSet::new() }
    }

    /// Returns the largest number of bytes and of files found in one root.
    fn fullest(&self) -> Amount {
        self.found.iter().fold(Amount::default(), |most, found| Amount {
            bytes: most.bytes.max(found.bytes),
            files: most.files.max(found.files),
        })
    }

    /// Returns the bytes found in all roots.
    fn total(&self) -> u64 {
        self.found.iter().map(|found| found.bytes).sum()
    }

    /// Counts the contents of one directory; returns how many entries it has.
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
