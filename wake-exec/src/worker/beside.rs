//! The in-memory file systems beside the work directory: `/tmp` and `/dev/shm`.
//!
//! Many commands use neither, and directories that nobody has opened are as good as new: whatever is done in them
//! (creating, changing, removing, listing, even an unnamed file, which would show in later inode numbers) makes the
//! kernel report an event to a watch. So they are kept for the next command if the watch has reported nothing.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::confine::Confinement;
use super::place::DirWriter;
use super::scratch;
use super::watcher::{InotifyWatch, Watcher};
use crate::job::{Access, Job, JobRoot, Limits};
use crate::wire::JobError;

// Where they are attached in a mount namespace, below its root directory.
const TMP: &CStr = c"/shown/tmp";
const SHM: &CStr = c"/shown/dev/shm";

/// Both file systems.
pub(crate) struct MemoryDirs {
    /// None if `/tmp` is part of the root directory.
    tmp: Option<OwnedFd>,
    shm: OwnedFd,
    /// Reports whatever is done in them; none if that cannot be observed.
    watch: Option<InotifyWatch>,
    /// The bytes and files that each may hold, and the bytes of `/dev/shm`.
    limits: (u64, u64, u64),
}

impl MemoryDirs {
    /// Creates new ones, not attached anywhere yet.
    pub(crate) fn new(
        confined: &Confinement,
        job: &Job,
        watcher: &mut Watcher,
    ) -> Result<Self, JobError> {
        let tmp = match keeps_tmp(job) {
            true => None,
            false => Some(temporary_directory(confined, job)?),
        };
        let (.., bytes) = limits(job);
        let of_shm = Limits { disk: bytes, ..job.limits.clone() };
        let shm = scratch::memory(&of_shm, "1777", confined.owner)?;
        DirWriter::new(shm.as_fd(), None)
            .fix_times()
            .map_err(|errno| JobError::step("create", "/dev/shm", errno))?;
        let watch = if watcher.is_worth_it() {
            let watch = watch(watcher, tmp.as_ref(), &shm);
            // A worker's work does not depend on its working directory, but a mount that it stood in could not go away.
            rustix::process::fchdir(&confined.host.root)
                .map_err(|errno| JobError::step("enter", "/", errno))?;
            // The system may have no watches left.
            watch.ok()
        } else {
            None
        };
        Ok(MemoryDirs { tmp, shm, watch, limits: limits(job) })
    }

    /// Returns whether they are equivalent to new ones for `job`. No process of an earlier command may be alive.
    pub(crate) fn are_as_new(&self, job: &Job, watcher: &mut Watcher) -> bool {
        self.limits == limits(job)
            && self.tmp.is_none() == keeps_tmp(job)
            && self.watch.as_ref().is_some_and(|watch| watcher.heard_nothing(watch))
    }

    /// Returns each with its place.
    pub(crate) fn places(&self) -> impl Iterator<Item = (CString, BorrowedFd<'_>)> {
        let tmp = self.tmp.iter().map(|tmp| (TMP.to_owned(), tmp.as_fd()));
        tmp.chain([(SHM.to_owned(), self.shm.as_fd())])
    }

    /// Returns each mount.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.tmp.iter().chain([&self.shm]).map(AsFd::as_fd)
    }
}

/// Returns whether `/tmp` is part of a root directory that the command may write to, so that its outputs may be there.
pub(crate) fn keeps_tmp(job: &Job) -> bool {
    job.work.is_none() && matches!(job.root, JobRoot::Dir { access: Access::Layered, .. })
}

fn limits(job: &Job) -> (u64, u64, u64) {
    let Limits { disk, inodes, shared_memory, .. } = job.limits;
    (disk, inodes, shared_memory.unwrap_or(disk))
}

/// Creates an empty `/tmp` with a home directory in it.
fn temporary_directory(confined: &Confinement, job: &Job) -> Result<OwnedFd, JobError> {
    let tmp = scratch::memory(&job.limits, "1777", confined.owner)?;
    let mut place = DirWriter::new(tmp.as_fd(), confined.owner).unreachable();
    place
        .directory("home")
        .and_then(|()| place.fix_times())
        .map_err(|errno| JobError::step("create", "/tmp/home", errno))?;
    Ok(tmp)
}

/// Watches every directory in them, through the working directory: inotify takes paths, not descriptors.
fn watch(
    watcher: &mut Watcher,
    tmp: Option<&OwnedFd>,
    shm: &OwnedFd,
) -> Result<InotifyWatch, Errno> {
    let mut watch = watcher.watch_nothing()?;
    if let Some(tmp) = tmp {
        rustix::process::fchdir(tmp)?;
        watcher.add(&mut watch, ".")?;
        watcher.add(&mut watch, "home")?;
    }
    rustix::process::fchdir(shm)?;
    watcher.add(&mut watch, ".")?;
    Ok(watch)
}
