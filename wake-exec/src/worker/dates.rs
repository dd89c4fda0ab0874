//! Times of directories in which something is made for a command: nothing of the moment may show.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::place::{STRAIGHT, fixed_times};
use crate::wire::JobError;

/// What times everything is to have in the end: what was there its own, what was made one that is fixed.
pub(crate) struct Dates {
    made_at: i64,
    /// By path below the root directory.
    times: BTreeMap<String, Timestamps>,
}

impl Dates {
    /// What is made is dated `made_at`, in seconds since 1970.
    pub(crate) fn new(made_at: i64) -> Self {
        Dates { made_at, times: BTreeMap::new() }
    }

    /// Notes what making something at `path` changes, before it is made. What is mounted there has times of its own.
    pub(crate) fn note(
        &mut self,
        root: &OwnedFd,
        path: &str,
        is_mount: bool,
    ) -> Result<(), JobError> {
        let whole = if is_mount { path.rfind('/').unwrap_or(0) } else { path.len() };
        let slashes = path.match_indices('/').map(|(at, _)| at);
        for end in std::iter::once(0).chain(slashes).chain([whole]).filter(|end| *end <= whole) {
            let path = &path[..end];
            if !self.times.contains_key(path) {
                let times = match times_at(root, path) {
                    Ok(times) => times,
                    Err(Errno::NOENT) => fixed_times(self.made_at),
                    // What cannot be reached is not changed either.
                    Err(Errno::NOTDIR | Errno::LOOP) => return Ok(()),
                    Err(errno) => return Err(JobError::step("read", format!("/{path}"), errno)),
                };
                self.times.insert(path.to_owned(), times);
            }
        }
        Ok(())
    }

    /// Gives everything its time.
    pub(crate) fn restore(self, root: &OwnedFd) -> Result<(), JobError> {
        for (path, times) in self.times {
            let at = if path.is_empty() { "." } else { &path };
            match rustix::fs::utimensat(root, at, &times, AtFlags::SYMLINK_NOFOLLOW) {
                // Not everything that is wanted finds room.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(JobError::step("date", format!("/{path}"), errno)),
            }
        }
        Ok(())
    }
}

fn times_at(root: &OwnedFd, path: &str) -> Result<Timestamps, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let at = if path.is_empty() { "." } else { path };
    let opened = rustix::fs::openat2(root, at, flags, Mode::empty(), STRAIGHT)?;
    Ok(times_of(&rustix::fs::fstat(&opened)?))
}

/// The times of modification that `stat` tells, as those of access too.
pub(crate) fn times_of(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
    Timestamps { last_access: time, last_modification: time }
}
