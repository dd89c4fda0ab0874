//! The file systems in memory beside the work directory: `/tmp` and `/dev/shm`.
//!
//! Many commands use neither, and what nobody has opened is as good as new: whatever could be done to it (making, changing,
//! removing, listing, even a file without a name, which would show in the numbers of later ones) makes the kernel report it
//! to a watch. So they are kept for the next command where the watch has nothing to say.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::confine::Confinement;
use super::place::DirWriter;
use super::scratch;
use super::watcher::{InotifyWatch, Watcher};
use crate::job::{Access, Job, JobRoot, Limits};
use crate::wire::JobError;

// Where in a mount namespace they belong, below its root directory.
const TMP: &CStr = c"/shown/tmp";
const SHM: &CStr = c"/shown/dev/shm";

/// The two of them.
pub(crate) struct MemoryDirs {
    /// None where `/tmp` is a part of the root directory.
    tmp: Option<OwnedFd>,
    shm: OwnedFd,
    /// Hears of whatever is done in them; none where that is not known.
    watch: Option<InotifyWatch>,
    /// Bytes and files that each may hold, and the bytes of `/dev/shm`.
    limits: (u64, u64, u64),
}

impl MemoryDirs {
    /// New ones, attached nowhere yet.
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
            // The work of a worker does not depend on its directory, but a mount that it stood in would stay.
            rustix::process::fchdir(&confined.host.root)
                .map_err(|errno| JobError::step("enter", "/", errno))?;
            // The system may have none left to give.
            watch.ok()
        } else {
            None
        };
        Ok(MemoryDirs { tmp, shm, watch, limits: limits(job) })
    }

    /// Whether they are what new ones for `job` would be. No process of an earlier command may be alive.
    pub(crate) fn are_as_new(&self, job: &Job, watcher: &mut Watcher) -> bool {
        self.limits == limits(job)
            && self.tmp.is_none() == keeps_tmp(job)
            && self.watch.as_ref().is_some_and(|watch| watcher.heard_nothing(watch))
    }

    /// Each with where it belongs.
    pub(crate) fn places(&self) -> impl Iterator<Item = (CString, BorrowedFd<'_>)> {
        let tmp = self.tmp.iter().map(|tmp| (TMP.to_owned(), tmp.as_fd()));
        tmp.chain([(SHM.to_owned(), self.shm.as_fd())])
    }

    /// Each.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.tmp.iter().chain([&self.shm]).map(AsFd::as_fd)
    }
}

/// Whether `/tmp` is part of a root directory that the command writes to as it likes, and its outputs may lie there.
pub(crate) fn keeps_tmp(job: &Job) -> bool {
    job.work.is_none() && matches!(job.root, JobRoot::Dir { access: Access::Layered, .. })
}

fn limits(job: &Job) -> (u64, u64, u64) {
    let Limits { disk, inodes, shared_memory, .. } = job.limits;
    (disk, inodes, shared_memory.unwrap_or(disk))
}

/// An empty `/tmp` with a home directory in it.
fn temporary_directory(confined: &Confinement, job: &Job) -> Result<OwnedFd, JobError> {
    let tmp = scratch::memory(&job.limits, "1777", confined.owner)?;
    let mut place = DirWriter::new(tmp.as_fd(), confined.owner).unreachable();
    place
        .directory("home")
        .and_then(|()| place.fix_times())
        .map_err(|errno| JobError::step("create", "/tmp/home", errno))?;
    Ok(tmp)
}

/// Watches every directory that there is, by way of the working directory: watches take no descriptors.
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
