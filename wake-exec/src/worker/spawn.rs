//! Starts a command: from the worker to the first instruction of the program.
//!
//! The child shares the worker's memory until it executes the program, as after `vfork`, so that its cost does not
//! depend on the worker's size. It therefore makes only system calls on data prepared beforehand: no allocation, no
//! panic, no lock.

use std::collections::hash_map::RandomState;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::hash::{BuildHasher as _, Hasher as _};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::Resource;

use super::confine::Inside;
use super::kernel::{self, Wait, reap_one};
use super::owners::Owner;
use super::view::{PAST, SHOWN};
use crate::job::{Command, Limits};
use crate::scheduling::{Native, Scheduling};
use crate::wire::JobError;

/// How a command is started.
pub(crate) struct Launch<'a> {
    /// The command.
    pub(crate) command: &'a Command,
    /// Its resource limits.
    pub(crate) limits: &'a Limits,
    /// Standard input, output and error.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// The confinement; none if it is not confined.
    pub(crate) walls: Option<Walls<'a>>,
    /// Whether standard input is a terminal, which becomes the controlling terminal of a new session.
    pub(crate) terminal: bool,
    /// The files through which it enters control groups.
    pub(crate) doors: Vec<RawFd>,
    /// The number of processors it is restricted to, if nothing else bounds its CPU time.
    pub(crate) processors: Option<usize>,
}

/// What confines a command.
#[derive(Clone, Copy)]
pub(crate) struct Walls<'a> {
    /// The mount namespace in which it runs.
    pub(crate) view: &'a OwnedFd,
    /// The places with mounts of an earlier command, which are moved away first.
    pub(crate) past: &'a [CString],
    /// Its mounts, in order.
    pub(crate) attachments: &'a [Attachment<'a>],
    /// The user it becomes, if that differs from the worker's.
    pub(crate) owner: Option<Owner>,
    /// Its own users, if it has any.
    pub(crate) inside: Option<&'a Inside>,
}

impl<'a> Walls<'a> {
    /// Returns the same for another command in the same place, where everything has been mounted.
    pub(crate) fn standing(self) -> Walls<'a> {
        Walls { past: &[], attachments: &[], ..self }
    }
}

/// The capabilities of a command among its own users, by number: changing owners, bypassing file modes, acting on
/// others' files, keeping set-id bits, sending signals, changing user and group IDs, passing on capabilities, binding
/// ports, opening raw sockets, changing the root, writing to the audit log, setting file capabilities. Source:
/// repeatr's policy `governor`.
const RIGHTS: [u32; 13] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31];

const fn mask(rights: &[u32]) -> u32 {
    let (mut mask, mut at) = (0, 0);
    while at < rights.len() {
        mask |= 1 << rights[at];
        at += 1;
    }
    mask
}

/// One mount operation.
pub(crate) enum Attachment<'a> {
    /// Attaches this mount there.
    Mount(CString, BorrowedFd<'a>),
    /// Makes what is there read-only.
    ReadOnly(CString),
}

impl Attachment<'_> {
    /// Returns its place.
    pub(crate) fn at(&self) -> &CString {
        match self {
            Attachment::Mount(at, _) | Attachment::ReadOnly(at) => at,
        }
    }
}

/// A command that has been started.
pub(crate) struct Running {
    pub(crate) pid: libc::pid_t,
    pub(crate) pidfd: OwnedFd,
}

/// Starts commands, one after another.
pub(crate) struct Starter {
    /// A stack for the few calls of a child.
    stack: Vec<u128>,
    /// How commands are scheduled, if not like the worker.
    scheduling: Option<Native>,
}

/// Everything that the child needs, as plain numbers and pointers.
struct SpawnPlan<'a> {
    /// The possible paths of the program, best first; null-terminated.
    programs: *const *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    stdio: [RawFd; 3],
    limits: [(c_int, libc::rlimit); 3],
    scheduling: Option<Native>,
    walls: Option<&'a Walls<'a>>,
    terminal: bool,
    doors: &'a [RawFd],
    failed: Option<(&'static CStr, c_int)>,
}

impl Starter {
    /// Commands are scheduled as `wanted`, if known.
    pub(crate) fn new(wanted: Option<Scheduling>) -> Self {
        let own = Scheduling::of_thread();
        let other = wanted.filter(|wanted| own.as_ref() != Some(wanted));
        Starter { stack: vec![0; 4096], scheduling: other.map(|wanted| wanted.native()) }
    }

    /// Returns how a command is scheduled if restricted to this many processors; none for the same as the worker.
    fn scheduling(&self, processors: Option<usize>) -> Option<Native> {
        let Some(count) = processors else { return self.scheduling };
        let all = self.scheduling.or_else(|| Scheduling::of_thread().map(|own| own.native()));
        all.map(|all| all.on_few(count, RandomState::new().build_hasher().finish() as usize))
    }

    /// Starts a command.
    pub(crate) fn start(&mut self, launch: &Launch<'_>) -> Result<Running, JobError> {
        let command = launch.command;
        let programs = candidates(command)?;
        let cwd = c_string(&command.cwd)?;
        let args = std::iter::once(&command.program).chain(&command.args);
        let args = args.map(|arg| c_string(arg)).collect::<Result<Vec<_>, _>>()?;
        let env = command.env.iter().map(|(name, value)| c_string(&format!("{name}={value}")));
        let env = env.collect::<Result<Vec<_>, _>>()?;
        let (argv, envp) = (pointers(&args), pointers(&env));
        let programs = pointers(&programs);
        let mut prepared = SpawnPlan {
            programs: programs.as_ptr(),
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            cwd: cwd.as_ptr(),
            stdio: launch.stdio.map(|fd| fd.as_raw_fd()),
            limits: limits(launch.limits),
            scheduling: self.scheduling(launch.processors),
            walls: launch.walls.as_ref(),
            terminal: launch.terminal,
            doors: &launch.doors,
            failed: None,
        };
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        let mut pidfd: c_int = -1;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        // SAFETY: CLONE_VFORK suspends this process until the child has executed its program or ended, so the borrowed
        // memory outlives the child's use of it; the child runs on a stack of its own and makes system calls only. The
        // worker has one thread.
        let pid =
            unsafe { libc::clone(child, top, flags, (&raw mut prepared).cast(), &raw mut pidfd) };
        if pid < 0 {
            let error = std::io::Error::last_os_error();
            return Err(JobError::step("start", &command.program, error));
        }
        // SAFETY: the kernel has just opened it for this process, and nobody else owns it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        match prepared.failed {
            None => Ok(Running { pid, pidfd }),
            Some((step, errno)) => {
                let _ = reap_one(pid, Wait::Block);
                Err(not_started(command, step, errno))
            }
        }
    }
}

/// Returns the possible paths of the program of `command`, best first: the stated path, or one in each directory of its
/// `PATH`.
fn candidates(command: &Command) -> Result<Vec<CString>, JobError> {
    let program = &command.program;
    if program.contains('/') {
        return Ok(vec![c_string(program)?]);
    }
    let searched = command.searched().map(|dir| c_string(&format!("{dir}/{program}")));
    searched.collect()
}

fn not_started(command: &Command, step: &'static CStr, errno: c_int) -> JobError {
    if step == c"execute" {
        return JobError::NotStarted { program: command.program.clone(), errno };
    }
    let path = if step == c"enter" { &command.cwd } else { &command.program };
    JobError::step(&step.to_string_lossy(), path, Errno::from_raw_os_error(errno))
}

fn c_string(text: &str) -> Result<CString, JobError> {
    CString::new(text)
        .map_err(|_| JobError::bad_job(text.replace('\0', "\\0"), "contains a NUL character"))
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Returns the limits of one command; the worker itself has those that all commands share.
fn limits(limits: &Limits) -> [(c_int, libc::rlimit); 3] {
    // Those of the worker never change.
    static CEILINGS: OnceLock<[u64; 3]> = OnceLock::new();
    let resources = [Resource::Nofile, Resource::Nproc, Resource::Fsize];
    let [files, processes, size] = *CEILINGS.get_or_init(|| resources.map(kernel::hard_limit));
    let both = |resource: libc::__rlimit_resource_t, value: u64| {
        (resource as c_int, libc::rlimit { rlim_cur: value, rlim_max: value })
    };
    [
        both(libc::RLIMIT_NOFILE, OPEN_FILES.min(files)),
        both(libc::RLIMIT_NPROC, limits.processes.min(processes)),
        both(libc::RLIMIT_FSIZE, limits.disk.min(size)),
    ]
}

/// The number of files that a command may have open at once.
const OPEN_FILES: u64 = 4096;

/// The attributes that make a mount read-only.
static READ_ONLY: libc::mount_attr = libc::mount_attr {
    attr_set: libc::MOUNT_ATTR_RDONLY,
    attr_clr: 0,
    propagation: 0,
    userns_fd: 0,
};

/// The argument of `capset`, in version 3.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

const CAPABILITY_VERSION: u32 = 0x2008_0522;

extern "C" fn child(prepared: *mut c_void) -> c_int {
    // SAFETY: the parent passes a `SpawnPlan` that lives until this process executes its program or ends.
    let prepared = unsafe { &mut *prepared.cast::<SpawnPlan<'_>>() };
    // SAFETY: what the pointers name was prepared by the parent, which waits.
    let failed = unsafe { become_command(prepared) };
    prepared.failed = Some(failed);
    // SAFETY: ends this process without running anything of the parent's.
    unsafe { libc::syscall(libc::SYS_exit_group, 127 as c_long) };
    127
}

/// Performs all steps; returns only if a step failed, with its name and the kernel's error.
unsafe fn become_command(prepared: &SpawnPlan<'_>) -> (&'static CStr, c_int) {
    macro_rules! step {
        ($name:expr, $call:expr) => {
            // SAFETY: a system call on prepared memory.
            if unsafe { $call } < 0 {
                return ($name, errno());
            }
        };
    }
    for door in prepared.doors {
        // What it allocates from here on is charged to the group as soon as the program has its own memory.
        step!(c"limit", libc::syscall(libc::SYS_write, *door, c"0".as_ptr(), 1 as c_long));
    }
    if let Some(walls) = &prepared.walls {
        let view = walls.view.as_raw_fd();
        step!(c"confine", libc::syscall(libc::SYS_setns, view, libc::CLONE_NEWNS));
        let (here, past) = (libc::AT_FDCWD, PAST.as_ptr());
        for at in walls.past {
            let at = at.as_ptr();
            step!(
                c"confine",
                libc::syscall(libc::SYS_move_mount, here, at, here, past, 0 as c_long)
            );
        }
        for attachment in walls.attachments {
            let (nothing, at) = (c"".as_ptr(), attachment.at().as_ptr());
            let mount = match attachment {
                Attachment::Mount(_, mount) => c_long::from(mount.as_raw_fd()),
                Attachment::ReadOnly(_) => {
                    let flags = c_long::from(libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC);
                    // SAFETY: a system call on prepared memory.
                    unsafe { libc::syscall(libc::SYS_open_tree, here, at, flags) }
                }
            };
            let flags = c_long::from(libc::MOVE_MOUNT_F_EMPTY_PATH);
            step!(
                c"mount inputs of",
                libc::syscall(libc::SYS_move_mount, mount, nothing, here, at, flags)
            );
            if let Attachment::ReadOnly(_) = attachment {
                let (attributes, size) = (&raw const READ_ONLY, size_of_val(&READ_ONLY) as c_long);
                step!(
                    c"mount inputs of",
                    libc::syscall(libc::SYS_mount_setattr, here, at, 0 as c_long, attributes, size)
                );
            }
        }
        // What is beside the root directory is out of reach for a process that cannot change its root again.
        step!(c"confine", libc::syscall(libc::SYS_chroot, SHOWN.as_ptr()));
        step!(c"confine", libc::syscall(libc::SYS_chdir, c"/".as_ptr()));
        if let Some(Inside { users, .. }) = walls.inside {
            let users = users.as_raw_fd();
            step!(c"confine", libc::syscall(libc::SYS_setns, users, libc::CLONE_NEWUSER));
        }
        if prepared.terminal {
            step!(c"confine", libc::syscall(libc::SYS_setsid));
        } else {
            // The session is the worker's, which has no terminal: a new one would cost the kernel a scheduling group.
            step!(c"confine", libc::syscall(libc::SYS_setpgid, 0 as c_long, 0 as c_long));
        }
    } else {
        step!(c"watch", libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_long, 0, 0, 0));
        step!(c"confine", libc::syscall(libc::SYS_setsid));
    }
    for (target, fd) in (0..3).zip(prepared.stdio) {
        // The worker's own descriptors 0 to 2 are never among them, so none is overwritten before its turn.
        step!(c"connect", libc::syscall(libc::SYS_dup3, fd, target, 0 as c_long));
    }
    if prepared.terminal {
        step!(c"connect", libc::ioctl(0, libc::TIOCSCTTY, 0 as c_int));
    }
    // Before any path is resolved: none may lead through a descriptor of the worker.
    step!(
        c"confine",
        libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), 0 as c_long)
    );
    let cwd = open_straight(prepared.cwd, libc::O_DIRECTORY);
    if cwd < 0 {
        return (c"enter", errno());
    }
    step!(c"enter", libc::syscall(libc::SYS_fchdir, cwd));
    // SAFETY: the parent prepared the candidates, ended by null.
    let program = match unsafe { found_program(prepared.programs) } {
        Ok(program) => program,
        Err(errno) => return (c"execute", errno),
    };
    step!(
        c"confine",
        libc::syscall(libc::SYS_close_range, 3 as c_long, c_long::from(u32::MAX), 0 as c_long)
    );
    if let Some(Native { processors, policy }) = &prepared.scheduling {
        let (size, set) = (size_of_val(processors) as c_long, std::ptr::from_ref(processors));
        let no_priority = libc::sched_param { sched_priority: 0 };
        let (policy, parameters) = (c_long::from(*policy), &raw const no_priority);
        // If it is no longer available, the worker's will do.
        // SAFETY: reads so many bytes.
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0 as c_long, size, set) };
        // SAFETY: reads one structure.
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0 as c_long, policy, parameters) };
    }
    // SAFETY: takes a number.
    unsafe { libc::syscall(libc::SYS_umask, 0o022 as c_long) };
    for (resource, limit) in &prepared.limits {
        step!(
            c"limit",
            libc::syscall(
                libc::SYS_prlimit64,
                0 as c_long,
                *resource,
                std::ptr::from_ref(limit),
                std::ptr::null_mut::<libc::rlimit>()
            )
        );
    }
    if let Some(walls) = &prepared.walls {
        let owner = match walls.inside {
            Some(Inside { owner, .. }) => Some(*owner),
            None => walls.owner,
        };
        if let Some(Owner { uid, gid }) = owner {
            let (uid, gid) = (uid as c_long, gid as c_long);
            step!(c"confine", libc::syscall(libc::SYS_setresgid, gid, gid, gid));
            step!(c"confine", libc::syscall(libc::SYS_setresuid, uid, uid, uid));
        }
        let header = CapabilityHeader { version: CAPABILITY_VERSION, pid: 0 };
        // Effective, permitted, inheritable; the low numbers, then the high ones.
        let has_rights = matches!(walls.inside, Some(Inside { has_rights: true, .. }));
        let rights = if has_rights { mask(&RIGHTS) } else { 0 };
        let sets = [rights, rights, rights, 0, 0, 0];
        step!(c"confine", libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()));
        for right in RIGHTS.iter().filter(|_| has_rights) {
            // So that a user other than 0 keeps them when the program is executed.
            let (set, raise) = (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as c_long);
            step!(c"confine", libc::prctl(set, raise, *right as c_long, 0, 0));
        }
    }
    step!(c"execute", libc::execve(program, prepared.argv, prepared.envp));
    (c"execute", libc::ENOEXEC)
}

/// Returns the first candidate that can be executed. A single one is returned as it is, so that the kernel reports what
/// is wrong with it.
///
/// # Safety
///
/// `candidates` are pointers to texts, ended by null.
unsafe fn found_program(candidates: *const *const c_char) -> Result<*const c_char, c_int> {
    let mut failure = libc::ENOENT;
    let mut at = candidates;
    // SAFETY: nothing behind the null is read; each text before it was prepared by the parent.
    unsafe {
        let is_only = !(*at).is_null() && (*at.add(1)).is_null();
        while !(*at).is_null() {
            let file = open_straight(*at, 0);
            match () {
                () if file < 0 => {
                    let errno = errno();
                    if is_only || !matches!(errno, libc::ENOENT | libc::ENOTDIR) {
                        failure = errno;
                    }
                }
                () if is_only || is_executable(file) => return Ok(*at),
                () => failure = libc::EACCES,
            }
            at = at.add(1);
        }
    }
    Err(failure)
}

/// Returns whether an open file is a regular one that somebody may execute.
///
/// # Safety
///
/// It makes one system call on its own stack.
unsafe fn is_executable(file: c_long) -> bool {
    // SAFETY: all-zero is a valid `stat`, which the kernel fills.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        libc::syscall(libc::SYS_fstat, file, &raw mut found) == 0
            && found.st_mode & libc::S_IFMT == libc::S_IFREG
            && found.st_mode & 0o111 != 0
    }
}

fn errno() -> c_int {
    // SAFETY: the C library's error number of the one thread that runs.
    unsafe { *libc::__errno_location() }
}

/// Opens a path without going through what procfs exposes of this process: its descriptors, its program, its root.
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
