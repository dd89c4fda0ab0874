//! `/etc` as seen by commands with the host's root directory: a copy of what belongs to the installed system, made once
//! in a worker's life.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::confine::{Confinement, mount_namespace};
use super::kernel;
use super::mounts::{self, Writable};
use super::place::{DirWriter, fix_time};
use crate::etc::{EtcNode, etc_of_host_but};
use crate::wire::JobError;

/// Directories with hundreds of entries, all of them public: they are mounted as they are, like `/usr`.
const PUBLIC: &[&str] = &["alternatives", "ssl/certs"];

/// The copy.
pub(crate) struct EtcCopy {
    /// A mount namespace whose root directory is the copy: a detached mount cannot be mounted twice.
    ns: OwnedFd,
}

impl EtcCopy {
    /// Creates the copy.
    pub(crate) fn new(confined: &Confinement) -> Result<Self, JobError> {
        let memory = mounts::memory(&mounts::ROOT)
            .map_err(|errno| JobError::unavailable("mounting tmpfs", errno))?;
        let failed = |errno: Errno| JobError::step("create", "/etc", errno);
        let mut place = DirWriter::new(memory.as_fd(), None).unreachable();
        let public = copy(confined, &mut place)?;
        place
            .fix_times()
            .and_then(|()| kernel::set_mount(&memory, libc::MOUNT_ATTR_RDONLY, false))
            .map_err(failed)?;
        let mut mounts = Vec::with_capacity(public.len());
        for name in public {
            let path = Path::new("/etc").join(name);
            let mount = mounts::host(&path, Writable::No)
                .map_err(|errno| JobError::step("mount", &path, errno))?;
            mounts.push((name, mount));
        }
        kernel::unshare(libc::CLONE_NEWNS)
            .map_err(|errno| JobError::unavailable("mount namespaces", errno))?;
        let ns = mounts::pivot(&memory)
            .map_err(|errno| JobError::unavailable("changing the root directory", errno))
            .and_then(|()| {
                let mut attach =
                    mounts.iter().map(|(name, mount)| mounts::attach(mount, CWD, *name));
                attach.try_for_each(|attached| attached).map_err(failed)
            })
            .and_then(|()| mount_namespace(&confined.proc));
        confined.host.enter().map_err(|errno| JobError::step("enter", "/", errno))?;
        Ok(EtcCopy { ns: ns? })
    }

    /// Returns it as a mount that is not attached yet.
    pub(crate) fn mount(&self, confined: &Confinement) -> Result<OwnedFd, JobError> {
        move_into_link_name_space(self.ns.as_fd(), Some(LinkNameSpaceType::Mount))
            .map_err(|errno| JobError::step("enter", "/etc", errno))?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let mount = open_tree(CWD, "/", flags);
        confined.host.enter().map_err(|errno| JobError::step("enter", "/", errno))?;
        mount.map_err(|errno| JobError::step("mount", "/etc", errno))
    }
}

/// Copies everything except [`PUBLIC`]; returns which of those exist.
fn copy(confined: &Confinement, place: &mut DirWriter<'_>) -> Result<Vec<&'static str>, JobError> {
    let (identity, network) = (&confined.identity, confined.network);
    let nodes = etc_of_host_but(identity, network, PUBLIC)
        .map_err(|error| JobError::step("read", "/etc", error))?;
    let mut public = Vec::new();
    for (path, node) in nodes {
        let made = match node {
            EtcNode::File(bytes) => file(place, &path, &bytes),
            EtcNode::Link(target) => place.link(&path, target.as_bytes()),
            EtcNode::Dir => {
                public.extend(PUBLIC.iter().find(|public| **public == path));
                place.directory(&path)
            }
        };
        made.map_err(|errno| JobError::step("create", format!("/etc/{path}"), errno))?;
    }
    Ok(public)
}

fn file(place: &mut DirWriter<'_>, path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let file = place.file(path, 0o644)?;
    kernel::write_all(&file, bytes).and_then(|()| fix_time(&file))
}
