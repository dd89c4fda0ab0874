//! System calls that no crate wraps safely, one function each.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};

/// The namespaces of a worker, besides the user namespace.
pub(crate) const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

/// The side of a fork that returned.
pub(crate) enum Fork {
    /// The process that forked, with the new process's ID.
    Parent(libc::pid_t),
    /// The new process.
    Child,
}

fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 { Err(last_errno()) } else { Ok(result) }
}

/// Returns the error of the last system call.
pub(crate) fn last_errno() -> Errno {
    Errno::from_raw_os_error(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

/// Forks into new namespaces; the process must have only one thread.
pub(crate) fn fork_into(namespaces: libc::c_int) -> Result<Fork, Errno> {
    // SAFETY: without CLONE_VM this is fork: the child has its own copy of everything, and as the process has a single
    // thread, no lock can be held by another one.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone, namespaces | libc::SIGCHLD, 0usize, 0usize, 0usize, 0usize)
    })?;
    Ok(match pid {
        0 => Fork::Child,
        // The kernel's process IDs fit.
        pid => Fork::Parent(pid as libc::pid_t),
    })
}

/// Ends this process at once, without running any cleanup.
pub(crate) fn exit() -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(0) }
}

/// Moves this process into new namespaces.
pub(crate) fn unshare(namespaces: libc::c_int) -> Result<(), Errno> {
    // SAFETY: changes which namespaces the process is in; no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_unshare, namespaces) }).map(drop)
}

/// Sets and clears attributes of a mount and, if `recursive`, of those below it.
pub(crate) fn set_mount(mount: impl AsFd, set: u64, recursive: bool) -> Result<(), Errno> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    change_mount(mount.as_fd(), &attributes, flags)
}

/// Makes `mount` show owners as mapped by the user namespace `users`.
pub(crate) fn map_owners(mount: impl AsFd, users: impl AsFd) -> Result<(), Errno> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.as_fd().as_raw_fd() as u64,
    };
    change_mount(mount.as_fd(), &attributes, 0)
}

fn change_mount(
    mount: BorrowedFd<'_>,
    attributes: &libc::mount_attr,
    flags: libc::c_int,
) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | flags;
    // SAFETY: the path is a constant and the structure lives across the call, which only reads it.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Removes every capability from the bounding set, so that nothing this process starts can gain one.
///
/// The process itself keeps its own until it executes a program.
pub(crate) fn drop_bounding_set() -> Result<(), Errno> {
    for number in 0..64 {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability) {
            // The first number that is unknown to the kernel.
            Err(Errno::INVAL) => break,
            other => other?,
        };
    }
    Ok(())
}

/// Gives every signal its default action and unblocks all, as commands expect.
pub(crate) fn default_signals() {
    // The kernel's `struct sigaction`, all zero: the default action. Not through the C library, which reserves two
    // signals for itself.
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: the default action involves no code of ours; numbers that cannot be set are refused.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0usize, 8usize);
        }
    }
    // SAFETY: an all-zero signal set is a valid, empty one, and lives across the call.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Brings up the loopback device of this network namespace.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    // Of a type that no command can create: the system call filter would ask about any other, and this process is the
    // one that answers.
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::RAW,
        rustix::net::SocketFlags::CLOEXEC,
        Some(rustix::net::ipproto::RAW),
    )?;
    // SAFETY: all-zero is a valid `ifreq`; the kernel reads the name and the flags written here.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request).into())
            .map(drop)
    }
}

/// Returns this process's hard limit for a resource.
pub(crate) fn hard_limit(resource: Resource) -> u64 {
    getrlimit(resource).maximum.unwrap_or(libc::RLIM_INFINITY)
}

/// Sets a resource limit of this process and all that it starts, or the nearest one permitted.
pub(crate) fn limit(resource: Resource, soft: u64, hard: u64) -> Result<(), Errno> {
    let hard = hard.min(hard_limit(resource));
    let finite = |limit: u64| (limit != libc::RLIM_INFINITY).then_some(limit);
    let limits = Rlimit { current: finite(soft.min(hard)), maximum: finite(hard) };
    setrlimit(resource, limits)
}

/// Returns a memory file with `bytes`, positioned at its start and sealed against changes.
pub(crate) fn memory_file(name: &CStr, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, memfd_create, seek};
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    write_all(&file, bytes)?;
    seek(&file, SeekFrom::Start(0))?;
    fcntl_add_seals(
        &file,
        SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
    )?;
    Ok(file)
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reads into `buffer`; 0 at the end.
pub(crate) fn read_some(file: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *buffer))
}

/// How one process ended, as reported by `wait4`.
#[derive(Clone, Copy)]
pub(crate) struct ReapedChild {
    /// The raw status.
    pub(crate) status: libc::c_int,
    /// The resources used by it and the children it waited for.
    pub(crate) usage: libc::rusage,
}

/// Whether to wait until there is something to report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Wait.
    Block,
    /// Only check.
    Poll,
}

/// Reaps one child; none if no child has ended, or none is left.
pub(crate) fn reap_one(pid: libc::pid_t, wait: Wait) -> Result<Option<ReapedChild>, Errno> {
    let flags = libc::__WALL | if wait == Wait::Poll { libc::WNOHANG } else { 0 };
    let mut status = 0;
    // SAFETY: all-zero is a valid `rusage`, which the kernel overwrites.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers live across the call.
        let reaped =
            check(unsafe { libc::wait4(pid, &raw mut status, flags, &raw mut usage) }.into());
        return match reaped {
            Err(Errno::INTR) => continue,
            Err(Errno::CHILD) | Ok(0) => Ok(None),
            Err(errno) => Err(errno),
            Ok(_) => Ok(Some(ReapedChild { status, usage })),
        };
    }
}

/// Reaps every child that has ended, until the one with the ID `but` is next.
pub(crate) fn reap_orphans(but: libc::pid_t) -> Result<(), Errno> {
    loop {
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
        // SAFETY: all-zero is a valid `siginfo_t`, which the kernel overwrites.
        let ended = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            if libc::waitid(libc::P_ALL, 0, &raw mut info, flags) < 0 { 0 } else { info.si_pid() }
        };
        if ended == 0 || ended == but {
            return Ok(());
        }
        reap_one(ended, Wait::Poll)?;
    }
}

/// Returns whether this process has a child, running or not yet reaped.
pub(crate) fn has_child() -> bool {
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: all-zero is a valid `siginfo_t`, which the kernel overwrites.
    let result = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut info, flags)
    };
    result == 0 || last_errno() != Errno::CHILD
}

/// Kills every process in this PID namespace that this one may signal, except itself.
pub(crate) fn kill_all() {
    // SAFETY: takes numbers only. An error means that there is nobody to kill, which is fine.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}
