//! The directories that belong to one run of one command.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::confine::Owner;
use super::mounts::{self, Memory, Writable};
use crate::job::{Job, Limits, Scratch};
use crate::wire::Failure;

/// A directory of the host that is removed when it is dropped.
pub(crate) struct OwnDirectory(PathBuf);

impl OwnDirectory {
    /// Makes `path`, which only its owner can enter.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::step("create", &path, error))?;
        Ok(OwnDirectory(path))
    }

    /// A new one below `parent`.
    pub(crate) fn below(parent: &Path) -> Result<Self, Failure> {
        for count in 0.. {
            let path = parent.join(format!("work-{}-{count}", std::process::id()));
            match Self::new(path) {
                Err(Failure::Step { errno: libc::EEXIST, .. }) => {}
                other => return other,
            }
        }
        Err(Failure::step("create", parent, Errno::EXIST))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a directory in it that belongs to `owner`, and opens it.
    pub(crate) fn part(&self, name: &str, owner: Option<Owner>) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(|error| Failure::step("create", &path, error))?;
        if let Some(Owner { uid, gid }) = owner {
            rustix::fs::chownat(
                CWD,
                &path,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
                rustix::fs::AtFlags::empty(),
            )
            .map_err(|errno| Failure::step("create", &path, errno))?;
        }
        Ok(path)
    }
}

impl Drop for OwnDirectory {
    fn drop(&mut self) {
        // A command may have taken its own rights away. What stays behind all the same is only disk space
        // in a place that is swept.
        if fs::remove_dir_all(&self.0).is_err() {
            let _ = make_writable(&self.0);
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn make_writable(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// A work directory, attached nowhere yet.
pub(crate) struct Work {
    pub(crate) mount: OwnedFd,
    /// Removes what lies on the host.
    _host: Option<OwnDirectory>,
}

/// Makes the work directory that `job` asks for.
pub(crate) fn work(job: &Job, owner: Option<Owner>) -> Result<Work, Failure> {
    match &job.scratch {
        Scratch::Memory => Ok(Work { mount: memory(&job.limits, "0755", owner)?, _host: None }),
        Scratch::Disk(parent) => {
            let host = OwnDirectory::below(parent)?;
            let path = host.part("work", owner)?;
            let mount = mounts::host(&path, Writable::Yes)
                .map_err(|errno| Failure::step("mount", &path, errno))?;
            Ok(Work { mount, _host: Some(host) })
        }
    }
}

/// An empty directory in memory within `limits`.
pub(crate) fn memory(
    limits: &Limits,
    mode: &str,
    owner: Option<Owner>,
) -> Result<OwnedFd, Failure> {
    let memory = Memory { mode, owner, bytes: Some(limits.disk), inodes: Some(limits.inodes) };
    mounts::memory(&memory).map_err(|errno| Failure::unavailable("mounting tmpfs", errno))
}

/// Opens a directory of the host.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|errno| Failure::step("open", path, errno))
}
