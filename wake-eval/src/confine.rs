//! The sandbox of a worker: it gives up privileges, files and system calls before it evaluates anything.
//!
//! An evaluation can only compute. This is a second line of defence, for code that takes over the engine: its process
//! can only read the packages and talk to its parent. If the kernel lacks one of these mechanisms, the others still
//! apply.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use libc::{c_long, sock_filter};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::Limits;
use crate::limits::OVERHEAD;

/// Limits the memory of this process, and restricts it and its later threads to reading files below `readable`.
pub(crate) fn confine(limits: &Limits, readable: &[PathBuf]) {
    let set = |resource, bytes| {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        // If the limit cannot be set, the deadline still applies.
        let _ = rustix::process::setrlimit(resource, limit);
    };
    set(Resource::As, limits.memory.saturating_add(limits.stack as u64).saturating_add(OVERHEAD));
    set(Resource::Core, 0);
    let _ = rustix::thread::set_no_new_privs(true);
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    let _ = rustix::thread::set_capabilities(None, none);
    let _ = restrict_files(readable);
}

/// The file system rights that can be restricted, by the version of the kernel interface that introduced them.
const FILE_RIGHTS: [(c_long, u64); 4] =
    [(1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15)];
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// Binding and connecting sockets; connecting to sockets and signalling processes outside.
const NETWORK: u64 = 0b11;
const SCOPES: u64 = 0b11;

/// `struct landlock_ruleset_attr` of `landlock(7)`.
#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    dir: i32,
}

/// Restricts file access to reading below `readable`. `None` if the kernel does not support it.
fn restrict_files(readable: &[PathBuf]) -> Option<()> {
    const VERSION: u32 = 1;
    const BENEATH: c_long = 1;
    // SAFETY: with this flag the call takes no pointer and only returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<Ruleset>(),
            0usize,
            VERSION,
        )
    };
    let rights = FILE_RIGHTS.into_iter().filter(|(since, _)| *since <= version);
    let files = rights.map(|(_, rights)| rights).fold(0, |all, rights| all | rights);
    let rules = Ruleset {
        files,
        network: if version >= 4 { NETWORK } else { 0 },
        scopes: if version >= 6 { SCOPES } else { 0 },
    };
    let size = match version {
        ..1 => return None,
        1..4 => 8,
        4..6 => 16,
        6.. => size_of::<Ruleset>(),
    };
    // SAFETY: the attributes live across the call, which reads `size` bytes of them.
    let ruleset =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, size, 0u32) };
    let ruleset = owned(ruleset)?;
    for dir in readable.iter().filter_map(|dir| open(dir)) {
        let rule = Beneath { allowed: READ_FILE | READ_DIR, dir: dir.as_raw_fd() };
        // SAFETY: the rule and both descriptors live across the call, which copies what it needs.
        unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                ruleset.as_raw_fd(),
                BENEATH,
                &raw const rule,
                0u32,
            );
        }
    }
    // SAFETY: the call takes a descriptor, which lives across it, and no flags.
    let result =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0u32) };
    (result == 0).then_some(())
}

fn open(dir: &Path) -> Option<OwnedFd> {
    rustix::fs::open(dir, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn owned(fd: c_long) -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel just created this descriptor, and nothing else uses it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The system calls of a thread that computes, reads files and uses pipes. All others fail.
const ALLOWED: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getdents64,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_newfstatat,
    // Its flags are in memory and cannot be filtered; the file restrictions still apply.
    libc::SYS_openat2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

#[cfg(target_arch = "x86_64")]
const ALLOWED_OF_ARCHITECTURE: &[c_long] = &[libc::SYS_poll];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OF_ARCHITECTURE: &[c_long] = &[];

/// Flags that open a file for more than reading.
const WRITING: i32 = libc::O_WRONLY
    | libc::O_RDWR
    | libc::O_CREAT
    | libc::O_TRUNC
    | (libc::O_TMPFILE & !libc::O_DIRECTORY);

/// System calls that fail if an argument has any of these bits.
const WITHOUT: &[(c_long, u32, i32)] = &[
    (libc::SYS_mmap, 2, libc::PROT_EXEC),
    (libc::SYS_mprotect, 2, libc::PROT_EXEC),
    (libc::SYS_openat, 2, WRITING),
];

#[cfg(target_arch = "x86_64")]
const WITHOUT_OF_ARCHITECTURE: &[(c_long, u32, i32)] = &[(libc::SYS_open, 1, WRITING)];
#[cfg(not(target_arch = "x86_64"))]
const WITHOUT_OF_ARCHITECTURE: &[(c_long, u32, i32)] = &[];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_003E);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xC000_00B7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: Option<u32> = None;

/// Restricts all threads of this process to the necessary system calls. Requires that new privileges have been
/// denied.
pub(crate) fn restrict_calls() {
    let Some(mut code) = ARCHITECTURE.map(filter) else { return };
    let Ok(len) = u16::try_from(code.len()) else { return };
    let program = libc::sock_fprog { len, filter: code.as_mut_ptr() };
    // SAFETY: the program lives across the call, which copies it. A kernel without filters returns an error.
    unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_long::from(libc::SECCOMP_SET_MODE_FILTER),
            libc::SECCOMP_FILTER_FLAG_TSYNC,
            &raw const program,
        );
    }
}

/// A classic BPF filter over `struct seccomp_data` of `seccomp(2)`.
fn filter(architecture: u32) -> Vec<sock_filter> {
    const NUMBER: u32 = 0;
    const ARCH: u32 = 4;
    let argument = |index: u32| 16 + 8 * index;
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let refuse = || statement(libc::BPF_RET, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let allow = || statement(libc::BPF_RET, libc::SECCOMP_RET_ALLOW);
    let mut code =
        vec![load(ARCH), jump(libc::BPF_JEQ, architecture, 1, 0), refuse(), load(NUMBER)];
    for number in ALLOWED.iter().chain(ALLOWED_OF_ARCHITECTURE) {
        // System call numbers are small.
        code.extend([jump(libc::BPF_JEQ, *number as u32, 0, 1), allow()]);
    }
    for (number, index, bits) in WITHOUT.iter().chain(WITHOUT_OF_ARCHITECTURE) {
        code.extend([
            jump(libc::BPF_JEQ, *number as u32, 0, 4),
            load(argument(*index)),
            jump(libc::BPF_JSET, *bits as u32, 0, 1),
            refuse(),
            allow(),
        ]);
    }
    code.push(refuse());
    code
}

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | test | libc::BPF_K) as u16, jt, jf, k }
}
