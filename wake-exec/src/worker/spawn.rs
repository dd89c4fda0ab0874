//! Starting a command: from the worker to the first instruction of the program.
//!
//! The child shares the worker's memory until it executes the program, as after `vfork`, so that its cost
//! does not depend on the worker's size. It therefore does nothing but system calls on what was prepared
//! before: no allocation, no panic, no lock.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::confine::Owner;
use super::kernel::{Wait, adopt, reap_one};
use crate::job::{Command, Limits};
use crate::wire::Failure;

/// Where a command is started.
pub(crate) struct Launch<'a> {
    /// What.
    pub(crate) command: &'a Command,
    /// How much it may take.
    pub(crate) limits: &'a Limits,
    /// Standard input, output and error.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// The walls; none where it is not confined.
    pub(crate) walls: Option<Walls<'a>>,
}

/// What confines a command.
pub(crate) struct Walls<'a> {
    /// The mount namespace that it gets a copy of.
    pub(crate) view: &'a OwnedFd,
    /// What is mounted in that copy, in order.
    pub(crate) attachments: &'a [(CString, OwnedFd)],
    /// Who it becomes, where that is somebody else.
    pub(crate) owner: Option<Owner>,
    /// The filter of its system calls.
    pub(crate) filter: &'a [libc::sock_filter],
}

/// A command that has been started.
pub(crate) struct Running {
    pub(crate) pid: libc::pid_t,
    pub(crate) pidfd: OwnedFd,
}

/// A stack for the child's few calls.
pub(crate) struct Stack(Vec<u128>);

impl Stack {
    pub(crate) fn new() -> Self {
        Stack(vec![0; 4096])
    }

    fn top(&mut self) -> *mut c_void {
        self.0.as_mut_ptr_range().end.cast()
    }
}

/// Everything the child needs, as plain numbers and pointers.
struct Prepared {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    stdio: [RawFd; 3],
    limits: [(c_int, libc::rlimit); 5],
    walls: Option<PreparedWalls>,
    failed: Option<(&'static CStr, c_int)>,
}

struct PreparedWalls {
    view: RawFd,
    attachments: *const (*const c_char, RawFd),
    attachment_count: usize,
    owner: Option<Owner>,
    filter: libc::sock_fprog,
}

/// Starts a command.
pub(crate) fn start(launch: &Launch<'_>, stack: &mut Stack) -> Result<Running, Failure> {
    let command = launch.command;
    let program = c_string(&command.program)?;
    let cwd = c_string(&command.cwd)?;
    let args = std::iter::once(&command.program).chain(&command.args);
    let args = args.map(|arg| c_string(arg)).collect::<Result<Vec<_>, _>>()?;
    let env = command.env.iter().map(|(name, value)| c_string(&format!("{name}={value}")));
    let env = env.collect::<Result<Vec<_>, _>>()?;
    let (argv, envp) = (pointers(&args), pointers(&env));
    let attachments: Vec<(*const c_char, RawFd)> = launch
        .walls
        .iter()
        .flat_map(|walls| walls.attachments)
        .map(|(at, mount)| (at.as_ptr(), mount.as_raw_fd()))
        .collect();
    let mut prepared = Prepared {
        program: program.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        cwd: cwd.as_ptr(),
        stdio: launch.stdio.map(|fd| fd.as_raw_fd()),
        limits: limits(launch.limits),
        walls: launch.walls.as_ref().map(|walls| PreparedWalls {
            view: walls.view.as_raw_fd(),
            attachments: attachments.as_ptr(),
            attachment_count: attachments.len(),
            owner: walls.owner,
            filter: libc::sock_fprog {
                len: u16::try_from(walls.filter.len()).unwrap_or(0),
                filter: walls.filter.as_ptr().cast_mut(),
            },
        }),
        failed: None,
    };
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK suspends this process until the child has executed its program or ended, so the
    // borrowed memory outlives the child's use of it; the child runs on a stack of its own and makes system
    // calls only. The worker has one thread.
    let pid = unsafe {
        libc::clone(child, stack.top(), flags, (&raw mut prepared).cast(), &raw mut pidfd)
    };
    if pid < 0 {
        let error = std::io::Error::last_os_error();
        return Err(Failure::step("start", &command.program, error));
    }
    let pidfd = adopt(pidfd);
    match prepared.failed {
        None => Ok(Running { pid, pidfd }),
        Some((step, errno)) => {
            let _ = reap_one(pid, Wait::Block);
            Err(not_started(command, step, errno))
        }
    }
}

fn not_started(command: &Command, step: &'static CStr, errno: c_int) -> Failure {
    if step == c"execute" {
        return Failure::NotStarted { program: command.program.clone(), errno };
    }
    let path = if step == c"enter" { &command.cwd } else { &command.program };
    Failure::step(&step.to_string_lossy(), path, Errno::from_raw_os_error(errno))
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text)
        .map_err(|_| Failure::bad_job(text.replace('\0', "\\0"), "holds a NUL character"))
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

fn limits(limits: &Limits) -> [(c_int, libc::rlimit); 5] {
    let both = |value: u64| libc::rlimit { rlim_cur: value, rlim_max: value };
    [
        (libc::RLIMIT_CORE as c_int, both(0)),
        (libc::RLIMIT_NOFILE as c_int, both(4096)),
        (libc::RLIMIT_NPROC as c_int, both(limits.processes)),
        (libc::RLIMIT_FSIZE as c_int, both(limits.disk)),
        (
            libc::RLIMIT_STACK as c_int,
            libc::rlimit { rlim_cur: 8 << 20, rlim_max: libc::RLIM_INFINITY },
        ),
    ]
}

/// What `capset` takes; the kernel's third version of it.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

const CAPABILITY_VERSION: u32 = 0x2008_0522;

extern "C" fn child(prepared: *mut c_void) -> c_int {
    // SAFETY: the parent passes a `Prepared` that lives until this process executes its program or ends.
    let prepared = unsafe { &mut *prepared.cast::<Prepared>() };
    // SAFETY: what the pointers name was prepared by the parent, which waits.
    let failed = unsafe { become_command(prepared) };
    prepared.failed = Some(failed);
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::syscall(libc::SYS_exit_group, 127 as c_long) };
    127
}

/// Goes all the way; returns only where a step failed, with its name and the kernel's error.
unsafe fn become_command(prepared: &Prepared) -> (&'static CStr, c_int) {
    macro_rules! step {
        ($name:expr, $call:expr) => {
            // SAFETY: a system call on prepared memory.
            if unsafe { $call } < 0 {
                return ($name, errno());
            }
        };
    }
    if let Some(walls) = &prepared.walls {
        step!(c"confine", libc::syscall(libc::SYS_setns, walls.view, libc::CLONE_NEWNS));
        step!(c"confine", libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS));
        for index in 0..walls.attachment_count {
            // SAFETY: the parent counted them.
            let (at, mount) = unsafe { *walls.attachments.add(index) };
            step!(
                c"mount inputs of",
                libc::syscall(
                    libc::SYS_move_mount,
                    mount,
                    c"".as_ptr(),
                    libc::AT_FDCWD,
                    at,
                    MOVE_MOUNT_F_EMPTY_PATH
                )
            );
        }
    } else {
        step!(c"watch", libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_long, 0, 0, 0));
    }
    step!(c"confine", libc::syscall(libc::SYS_setsid));
    for (target, fd) in (0..3).zip(prepared.stdio) {
        // The worker's own descriptors 0 to 2 are never among them, so none is overwritten before its turn.
        step!(c"connect", libc::syscall(libc::SYS_dup3, fd, target, 0 as c_long));
    }
    // Before any path is walked: none may lead through a descriptor of the worker.
    step!(
        c"confine",
        libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), 0 as c_long)
    );
    let cwd = open_straight(prepared.cwd, libc::O_DIRECTORY);
    if cwd < 0 {
        return (c"enter", errno());
    }
    step!(c"enter", libc::syscall(libc::SYS_fchdir, cwd));
    let program = open_straight(prepared.program, 0);
    if program < 0 {
        return (c"execute", errno());
    }
    step!(
        c"confine",
        libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), 0 as c_long)
    );
    // SAFETY: takes a number.
    unsafe { libc::syscall(libc::SYS_umask, 0o022 as c_long) };
    for (resource, limit) in &prepared.limits {
        if let Err(errno) = limit_resource(*resource, limit) {
            return (c"limit", errno);
        }
    }
    if let Some(walls) = &prepared.walls {
        if let Some(Owner { uid, gid }) = walls.owner {
            let (uid, gid) = (uid as c_long, gid as c_long);
            step!(c"confine", libc::syscall(libc::SYS_setresgid, gid, gid, gid));
            step!(c"confine", libc::syscall(libc::SYS_setresuid, uid, uid, uid));
        }
        let header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
        let none = [0u32; 6];
        step!(c"confine", libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()));
        step!(
            c"confine",
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER as c_long,
                0 as c_long,
                &raw const walls.filter
            )
        );
    }
    step!(c"execute", libc::execve(prepared.program, prepared.argv, prepared.envp));
    (c"execute", libc::ENOEXEC)
}

const MOVE_MOUNT_F_EMPTY_PATH: c_long = 4;

fn errno() -> c_int {
    // SAFETY: the C library's error number of the one thread that runs.
    unsafe { *libc::__errno_location() }
}

/// Opens a path without going through what the process file system offers of this process: its
/// descriptors, its program, its root.
fn open_straight(path: *const c_char, flags: c_int) -> c_long {
    // SAFETY: all-zero is a valid `open_how`; the path was prepared by the parent.
    unsafe {
        let mut how: libc::open_how = std::mem::zeroed();
        how.flags = (libc::O_PATH | libc::O_CLOEXEC | flags) as u64;
        how.resolve = libc::RESOLVE_NO_MAGICLINKS;
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            path,
            &raw const how,
            size_of::<libc::open_how>(),
        )
    }
}

/// Sets a limit, or the nearest that this process may have.
fn limit_resource(resource: c_int, wanted: &libc::rlimit) -> Result<(), c_int> {
    // SAFETY: all-zero is a valid `rlimit`, which the kernel overwrites; both live across the calls.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        let get = libc::syscall(
            libc::SYS_prlimit64,
            0 as c_long,
            resource,
            std::ptr::null::<libc::rlimit>(),
            &raw mut now,
        );
        if get < 0 {
            return Err(errno());
        }
        let limit = libc::rlimit {
            rlim_cur: wanted.rlim_cur.min(now.rlim_max),
            rlim_max: wanted.rlim_max.min(now.rlim_max),
        };
        let set = libc::syscall(
            libc::SYS_prlimit64,
            0 as c_long,
            resource,
            &raw const limit,
            std::ptr::null_mut::<libc::rlimit>(),
        );
        if set < 0 { Err(errno()) } else { Ok(()) }
    }
}
