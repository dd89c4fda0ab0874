//! Creates detached mounts.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree, unmount,
};

use super::kernel::set_mount;
use super::owners::{Owner, Owners};

/// Whether a mount is writable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writable {
    No,
    Yes,
}

const QUIET: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Returns the procfs of the PID namespace of this process, with processes hidden across users.
pub(crate) fn proc() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "hidepid", "2")?;
    fsconfig_create(context.as_fd())?;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        QUIET | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )
}

/// Returns a private instance of pseudo-terminals.
pub(crate) fn terminals() -> Result<OwnedFd, Errno> {
    let context = fsopen("devpts", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "ptmxmode", "0666")?;
    fsconfig_set_string(context.as_fd(), "mode", "0600")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The parameters of an in-memory file system.
pub(crate) struct Memory<'a> {
    pub(crate) mode: &'a str,
    pub(crate) owner: Option<Owner>,
    pub(crate) bytes: Option<u64>,
    pub(crate) inodes: Option<u64>,
}

/// Returns an empty in-memory file system.
pub(crate) fn memory(memory: &Memory<'_>) -> Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |key: &str, value: &str| fsconfig_set_string(context.as_fd(), key, value);
    set("mode", memory.mode)?;
    if let Some(owner) = memory.owner {
        set("uid", &owner.uid.to_string())?;
        set("gid", &owner.gid.to_string())?;
    }
    if let Some(bytes) = memory.bytes {
        set("size", &bytes.to_string())?;
    }
    if let Some(inodes) = memory.inodes {
        set("nr_inodes", &inodes.to_string())?;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, QUIET)
}

/// The parameters of an in-memory file system that is a root directory.
pub(crate) const ROOT: Memory<'static> =
    Memory { mode: "0755", owner: None, bytes: None, inodes: None };

/// Makes `root` the root directory of this mount namespace, and releases the old one.
pub(crate) fn pivot(root: &OwnedFd) -> Result<(), Errno> {
    attach(root, CWD, "/")?;
    rustix::process::fchdir(root)?;
    // Put the old root on top of the new one and detach it: no directory is needed for it.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

/// Returns what `path` of the host contains, including mounts below it.
pub(crate) fn host(path: &Path, writable: Writable) -> Result<OwnedFd, Errno> {
    let mount = clone(path)?;
    let read_only = if writable == Writable::No { libc::MOUNT_ATTR_RDONLY } else { 0 };
    set_mount(&mount, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | read_only, true)?;
    Ok(mount)
}

/// As [`host`], with the owners on disk if possible: the command then has the access rights of its user ID there.
pub(crate) fn host_as_owned(
    path: &Path,
    writable: Writable,
    owners: &Owners,
) -> Result<OwnedFd, Errno> {
    let mount = host(path, writable)?;
    owners.keep(&mount)?;
    Ok(mount)
}

/// Returns a device of the host.
pub(crate) fn device(path: &Path) -> Result<OwnedFd, Errno> {
    let mount = clone(path)?;
    set_mount(&mount, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC, false)?;
    Ok(mount)
}

/// Returns what `path` names, as a mount of its own.
fn clone(path: &Path) -> Result<OwnedFd, Errno> {
    // Always recursive: in a user namespace, the kernel refuses to leave out mounts below.
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

/// Returns the directory `lower` with a private layer on top, stored in `upper` with the work directory `work`.
pub(crate) fn layered(lower: &Path, upper: &Path, work: &Path) -> Result<OwnedFd, Errno> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let escaped = |path: &Path| path.to_string_lossy().replace('\\', "\\\\").replace(':', "\\:");
    fsconfig_set_string(context.as_fd(), "lowerdir", escaped(lower))?;
    fsconfig_set_string(context.as_fd(), "upperdir", upper)?;
    fsconfig_set_string(context.as_fd(), "workdir", work)?;
    fsconfig_set_flag(context.as_fd(), "userxattr")?;
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, QUIET)
}

/// Returns the directory `upper` with those at `lower` showing through, using the work directory `work`.
pub(crate) fn showing_through(lower: &[String], upper: &str, work: &str) -> Result<OwnedFd, Errno> {
    /// The kernel accepts no longer value.
    const LONGEST: usize = 255;
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let add = |path: &String| fsconfig_set_string(context.as_fd(), "lowerdir+", path.as_str());
    // One at a time since Linux 6.5.
    match lower.iter().try_for_each(add) {
        Err(Errno::INVAL) if lower.join(":").len() <= LONGEST => {
            fsconfig_set_string(context.as_fd(), "lowerdir", lower.join(":"))?;
        }
        other => other?,
    }
    fsconfig_set_string(context.as_fd(), "upperdir", upper)?;
    fsconfig_set_string(context.as_fd(), "workdir", work)?;
    fsconfig_set_flag(context.as_fd(), "userxattr")?;
    // Makes everything there appear to be on one file system, if inode numbers leave room for that.
    fsconfig_set_string(context.as_fd(), "xino", "on")?;
    // What is written is of no use after a power cut, so it need not be synced.
    fsconfig_set_flag(context.as_fd(), "volatile")?;
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, QUIET)
}

/// Attaches `mount` at `path` below `dir`.
pub(crate) fn attach(
    mount: impl AsFd,
    dir: impl AsFd,
    path: impl rustix::path::Arg,
) -> Result<(), Errno> {
    move_mount(mount, "", dir, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches `mount` on the file or directory `target`.
pub(crate) fn attach_on(mount: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}
