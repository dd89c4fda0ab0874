//! The directories that belong to one run of one command.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::mounts::{self, Memory, Writable};
use super::owners::Owner;
use super::place::DirWriter;
use crate::job::{Job, Limits, WorkPlace};
use crate::wire::JobError;

/// A directory of the host that is removed when it is dropped.
pub(crate) struct OwnDirectory(PathBuf);

impl OwnDirectory {
    /// Creates `path` with access only for its owner.
    pub(crate) fn new(path: PathBuf) -> Result<Self, JobError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| JobError::step("create", &path, error))?;
        Ok(OwnDirectory(path))
    }

    /// Creates a new one below `parent`.
    pub(crate) fn below(parent: &Path) -> Result<Self, JobError> {
        for count in 0.. {
            let path = parent.join(format!("work-{}-{count}", std::process::id()));
            match Self::new(path) {
                Err(JobError::Step { errno: libc::EEXIST, .. }) => {}
                other => return other,
            }
        }
        Err(JobError::step("create", parent, Errno::EXIST))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Creates a directory in it that belongs to `owner`, and returns its path.
    pub(crate) fn part(&self, name: &str, owner: Option<Owner>) -> Result<PathBuf, JobError> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(|error| JobError::step("create", &path, error))?;
        if let Some(Owner { uid, gid }) = owner {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            rustix::fs::chownat(CWD, &path, uid, gid, AtFlags::empty())
                .map_err(|errno| JobError::step("create", &path, errno))?;
        }
        Ok(path)
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        // Anything left behind costs only disk space in a place that is swept.
        let _ = open(&self.0).map_err(|_| Errno::IO).and_then(|top| empty(&top));
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes everything below `top`, however deep it is and whatever its permissions, following no link.
///
/// Subdirectories are moved up next to their parent instead of being descended into, so a million nested directories
/// cost no stack and no open files.
fn empty(top: &OwnedFd) -> Result<(), Errno> {
    let mut moved = 0;
    loop {
        let names = names_in(top)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if rustix::fs::unlinkat(top, &name, AtFlags::empty()).is_ok() {
                continue;
            }
            let _ = rustix::fs::chmodat(top, &name, Mode::from_raw_mode(0o700), AtFlags::empty());
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let dir = rustix::fs::openat(top, &name, flags, Mode::empty())?;
            for below in names_in(&dir)? {
                if rustix::fs::unlinkat(&dir, &below, AtFlags::empty()).is_err() {
                    moved += 1;
                    // Moving a directory requires write permission on it.
                    let mode = Mode::from_raw_mode(0o700);
                    let _ = rustix::fs::chmodat(&dir, &below, mode, AtFlags::empty());
                    rustix::fs::renameat(&dir, &below, top, format!(".moved-{moved}"))?;
                }
            }
            rustix::fs::unlinkat(top, &name, AtFlags::REMOVEDIR)?;
        }
    }
}

fn names_in(dir: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// A work directory, not attached anywhere yet.
pub(crate) struct WorkDir {
    pub(crate) mount: OwnedFd,
    /// The directory in it that the command sees, if that is not all of it.
    upper: Option<OwnedFd>,
    /// Removes its files on the host.
    _host: Option<OwnDirectory>,
}

/// Whether other directories must show through a work directory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkForm {
    /// The command sees all of it.
    Whole,
    /// The command sees [`UPPER`]; [`WORK`] beside it is for the kernel.
    Upper,
}

/// The part of a work directory that the command sees.
pub(crate) const UPPER: &str = "upper";

/// The overlay's work directory.
pub(crate) const WORK: &str = "work";

impl WorkDir {
    /// Returns where inputs are placed.
    pub(crate) fn place(&self) -> BorrowedFd<'_> {
        self.upper.as_ref().unwrap_or(&self.mount).as_fd()
    }
}

/// Creates the work directory that `job` requests.
pub(crate) fn work(job: &Job, owner: Option<Owner>, form: WorkForm) -> Result<WorkDir, JobError> {
    let (mount, host) = match &job.scratch {
        WorkPlace::Memory => (memory(&job.limits, "0755", owner)?, None),
        WorkPlace::Disk(parent) => {
            let host = OwnDirectory::below(parent)?;
            let path = host.part("work", owner)?;
            let mount = mounts::host(&path, Writable::Yes)
                .map_err(|errno| JobError::step("mount", &path, errno))?;
            (mount, Some(host))
        }
    };
    let upper = match form {
        WorkForm::Whole => None,
        WorkForm::Upper => {
            Some(upper_part(&mount, owner).map_err(|errno| JobError::step("create", "/", errno))?)
        }
    };
    Ok(WorkDir { mount, upper, _host: host })
}

fn upper_part(mount: &OwnedFd, owner: Option<Owner>) -> Result<OwnedFd, Errno> {
    let mut place = DirWriter::new(mount.as_fd(), owner).unreachable();
    place.directory(WORK)?;
    place.directory(UPPER)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(mount, UPPER, flags, Mode::empty())
}

/// Creates an empty directory in memory within `limits`.
pub(crate) fn memory(
    limits: &Limits,
    mode: &str,
    owner: Option<Owner>,
) -> Result<OwnedFd, JobError> {
    let memory = Memory { mode, owner, bytes: Some(limits.disk), inodes: Some(limits.inodes) };
    mounts::memory(&memory).map_err(|errno| JobError::unavailable("mounting tmpfs", errno))
}

/// Opens a directory of the host.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, JobError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| JobError::step("open", path, errno))
}
