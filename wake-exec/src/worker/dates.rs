//! Times of directories in which something is created for a command: no current time may show.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::place::{STRAIGHT, fixed_times};
use crate::wire::JobError;

/// The times that everything must have in the end: existing entries keep their own, created ones get a fixed time.
pub(crate) struct Dates {
    made_at: i64,
    /// By path below the root directory.
    times: BTreeMap<String, Timestamps>,
}

impl Dates {
    /// Created entries are dated `made_at`, in seconds since 1970.
    pub(crate) fn new(made_at: i64) -> Self {
        Dates { made_at, times: BTreeMap::new() }
    }

    /// Records the times that creating something at `path` will change; called before it is created. A mount there has
    /// times of its own.
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
                    // A path that cannot be reached is not changed either.
                    Err(Errno::NOTDIR | Errno::LOOP) => return Ok(()),
                    Err(errno) => return Err(JobError::step("read", format!("/{path}"), errno)),
                };
                self.times.insert(path.to_owned(), times);
            }
        }
        Ok(())
    }

    /// Sets all times.
    pub(crate) fn restore(self, root: &OwnedFd) -> Result<(), JobError> {
        for (path, times) in self.times {
            let at = if path.is_empty() { "." } else { &path };
            match rustix::fs::utimensat(root, at, &times, AtFlags::SYMLINK_NOFOLLOW) {
                // An optional entry may not have been created.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => {
                    return Err(JobError::step("set the times of", format!("/{path}"), errno));
                }
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

/// Returns the modification time of `stat` as both modification and access time.
pub(crate) fn times_of(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
    Timestamps { last_access: time, last_modification: time }
}
