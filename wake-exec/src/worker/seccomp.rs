//! Blocks the system calls that no command needs and every escape does.
//!
//! A classic BPF filter. The worker installs it on itself, once, and every command inherits it: installing it for each
//! command would cost more than all the rest (the kernel compiles it each time, 0.2 ms). So it allows what the worker
//! itself needs to create mounts; a command cannot create any because it lacks the capabilities. Everything that is not
//! listed here is allowed: namespaces and capabilities are the wall, and this takes away the ladders.

use std::os::fd::{FromRawFd as _, OwnedFd};

use libc::{c_long, sock_filter};
use rustix::io::Errno;

/// What happens to a system call.
#[derive(Clone, Copy)]
enum Rule {
    /// It fails with this error.
    Refuse(i32),
    /// It fails with `EPERM` if this argument has any of these bits.
    RefuseBits { argument: u32, bits: u32 },
    /// It fails with `EPERM` unless this argument is 0.
    RefuseUnlessZero { argument: u32 },
    /// It fails with `EPERM` for other processes (second argument), or for all processes of a user (first argument).
    OwnOnly { user: u32 },
    /// It fails with `EAFNOSUPPORT` unless the first argument is one of these.
    Families(&'static [u32]),
    /// The worker is asked and always agrees; see [`super::uses`].
    Ask,
    /// The same for network sockets; the only type not asked about is one that a command cannot create, which the
    /// worker uses.
    AskOfNetwork,
}

const DENY: Rule = Rule::Refuse(libc::EPERM);
/// As if the kernel did not have it, so that programs fall back to an older call.
const ABSENT: Rule = Rule::Refuse(libc::ENOSYS);

const RULES: &[(c_long, Rule)] = &[
    // Mounts and roots, as far as the worker does not need them.
    (libc::SYS_mount, DENY),
    (libc::SYS_fspick, DENY),
    (libc::SYS_quotactl, DENY),
    (libc::SYS_quotactl_fd, DENY),
    (libc::SYS_swapon, DENY),
    (libc::SYS_swapoff, DENY),
    // Namespaces.
    (libc::SYS_unshare, Rule::RefuseBits { argument: 0, bits: libc::CLONE_NEWUSER as u32 }),
    (libc::SYS_clone, Rule::RefuseBits { argument: 0, bits: NEW_NAMESPACES }),
    // Its flags are in memory, where no filter can inspect them.
    (libc::SYS_clone3, ABSENT),
    // Other processes. The worker may have the same user ID as the command.
    (libc::SYS_ptrace, DENY),
    (libc::SYS_process_vm_readv, DENY),
    (libc::SYS_process_vm_writev, DENY),
    (libc::SYS_process_madvise, DENY),
    (libc::SYS_pidfd_getfd, DENY),
    (libc::SYS_kcmp, DENY),
    (libc::SYS_move_pages, DENY),
    (libc::SYS_migrate_pages, DENY),
    (libc::SYS_prlimit64, Rule::RefuseUnlessZero { argument: 0 }),
    (libc::SYS_sched_setaffinity, Rule::RefuseUnlessZero { argument: 0 }),
    (libc::SYS_sched_setscheduler, Rule::RefuseUnlessZero { argument: 0 }),
    (libc::SYS_sched_setparam, Rule::RefuseUnlessZero { argument: 0 }),
    (libc::SYS_sched_setattr, Rule::RefuseUnlessZero { argument: 0 }),
    (libc::SYS_setpriority, Rule::OwnOnly { user: 2 }),
    (libc::SYS_ioprio_set, Rule::OwnOnly { user: 3 }),
    // Large parts of the kernel that are rarely needed and often attacked.
    (libc::SYS_bpf, DENY),
    (libc::SYS_perf_event_open, DENY),
    (libc::SYS_userfaultfd, DENY),
    (libc::SYS_io_uring_setup, ABSENT),
    (libc::SYS_io_uring_enter, ABSENT),
    (libc::SYS_io_uring_register, ABSENT),
    (libc::SYS_keyctl, DENY),
    (libc::SYS_add_key, DENY),
    (libc::SYS_request_key, DENY),
    (libc::SYS_kexec_load, DENY),
    (libc::SYS_kexec_file_load, DENY),
    (libc::SYS_init_module, DENY),
    (libc::SYS_finit_module, DENY),
    (libc::SYS_delete_module, DENY),
    (libc::SYS_reboot, DENY),
    (libc::SYS_acct, DENY),
    (libc::SYS_syslog, DENY),
    (libc::SYS_nfsservctl, DENY),
    (libc::SYS_open_by_handle_at, DENY),
    (libc::SYS_name_to_handle_at, DENY),
    (libc::SYS_fanotify_init, DENY),
    (libc::SYS_lookup_dcookie, ABSENT),
    (libc::SYS_vhangup, DENY),
    (libc::SYS_settimeofday, DENY),
    (libc::SYS_clock_settime, DENY),
    (libc::SYS_clock_adjtime, DENY),
    (libc::SYS_adjtimex, DENY),
    // Message queues outlive their processes, and nothing lists them.
    (libc::SYS_mq_open, ABSENT),
    (libc::SYS_mq_unlink, ABSENT),
    // Sockets that no namespace contains, or that reach the kernel itself.
    (libc::SYS_socket, Rule::AskOfNetwork),
    (libc::SYS_socketpair, Rule::Families(PAIRS)),
    // Objects created by these are visible to nobody else while they exist, but the IDs of later ones continue from
    // them.
    (libc::SYS_shmget, Rule::Ask),
    (libc::SYS_semget, Rule::Ask),
    (libc::SYS_msgget, Rule::Ask),
];

#[cfg(target_arch = "x86_64")]
const RULES_OF_ARCHITECTURE: &[(c_long, Rule)] = &[
    (libc::SYS_ioperm, DENY),
    (libc::SYS_iopl, DENY),
    (libc::SYS_modify_ldt, DENY),
    (libc::SYS_uselib, DENY),
    (libc::SYS__sysctl, DENY),
];
#[cfg(not(target_arch = "x86_64"))]
const RULES_OF_ARCHITECTURE: &[(c_long, Rule)] = &[];

const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;

/// No other family has socket pairs.
const PAIRS: &[u32] = &[libc::AF_UNIX as u32];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// The bits of a socket's type that are not flags.
const SOCKET_TYPE: u32 = 0xF;

/// Numbers from here on are those of x32, another entry to every call.
const X32: u32 = 0x4000_0000;

// Offsets in the kernel's `seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Installs the filter on this process and all that it starts; `no_new_privs` must be set.
///
/// Returns a descriptor that is readable when the kernel asks; none on a kernel that cannot ask, for example because
/// another filter has a listener already.
pub(crate) fn install() -> Result<Option<OwnedFd>, Errno> {
    match put(&program(Verdict::Ask), libc::SECCOMP_FILTER_FLAG_NEW_LISTENER) {
        // SAFETY: the kernel has just opened it for this process, and nobody else owns it.
        Ok(number) => Ok(Some(unsafe { OwnedFd::from_raw_fd(number) })),
        Err(_) => put(&program(Verdict::Allow), 0).map(|_| None),
    }
}

fn put(code: &[sock_filter], flags: libc::c_ulong) -> Result<i32, Errno> {
    let filter = libc::sock_fprog {
        len: u16::try_from(code.len()).map_err(|_| Errno::TOOBIG)?,
        filter: code.as_ptr().cast_mut(),
    };
    // SAFETY: the program lives across the call, which copies it.
    let result = unsafe {
        let set = c_long::from(libc::SECCOMP_SET_MODE_FILTER);
        libc::syscall(libc::SYS_seccomp, set, flags, &raw const filter)
    };
    // A descriptor, or nothing.
    i32::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(super::kernel::last_errno)
}

/// What happens to a call for which the worker must be asked.
#[derive(Clone, Copy)]
enum Verdict {
    Ask,
    /// There is no listener.
    Allow,
}

/// Returns the filter program.
fn program(asked: Verdict) -> Vec<sock_filter> {
    let mut code = vec![
        load(ARCH),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        refuse(libc::ENOSYS),
        load(NUMBER),
        jump(libc::BPF_JGE, X32, 0, 1),
        refuse(libc::ENOSYS),
    ];
    for (number, rule) in RULES.iter().chain(RULES_OF_ARCHITECTURE) {
        let body = body(*rule, asked);
        let skip = u8::try_from(body.len()).unwrap_or(u8::MAX);
        // System call numbers are small.
        code.push(jump(libc::BPF_JEQ, *number as u32, 0, skip));
        code.extend(body);
    }
    code.push(allow());
    code
}

/// Returns the instructions for a matching number; every path ends in a verdict.
fn body(rule: Rule, asked: Verdict) -> Vec<sock_filter> {
    let ask = || match asked {
        Verdict::Ask => answer(libc::SECCOMP_RET_USER_NOTIF),
        Verdict::Allow => allow(),
    };
    match rule {
        Rule::Refuse(errno) => vec![refuse(errno)],
        Rule::RefuseBits { argument: index, bits } => vec![
            load(argument(index)),
            jump(libc::BPF_JSET, bits, 0, 1),
            refuse(libc::EPERM),
            allow(),
        ],
        Rule::RefuseUnlessZero { argument: index } => {
            vec![load(argument(index)), jump(libc::BPF_JEQ, 0, 1, 0), refuse(libc::EPERM), allow()]
        }
        Rule::OwnOnly { user } => vec![
            load(argument(0)),
            jump(libc::BPF_JEQ, user, 2, 0),
            load(argument(1)),
            jump(libc::BPF_JEQ, 0, 1, 0),
            refuse(libc::EPERM),
            allow(),
        ],
        Rule::Ask => vec![ask()],
        Rule::AskOfNetwork => vec![
            load(argument(0)),
            jump(libc::BPF_JEQ, libc::AF_UNIX as u32, 6, 0),
            jump(libc::BPF_JEQ, libc::AF_INET as u32, 1, 0),
            jump(libc::BPF_JEQ, libc::AF_INET6 as u32, 0, 5),
            load(argument(1)),
            and(SOCKET_TYPE),
            jump(libc::BPF_JEQ, libc::SOCK_RAW as u32, 1, 0),
            ask(),
            allow(),
            refuse(libc::EAFNOSUPPORT),
        ],
        Rule::Families(families) => {
            let mut body = vec![load(argument(0))];
            for (index, family) in families.iter().enumerate() {
                let to_allow = u8::try_from(families.len() - index).unwrap_or(u8::MAX);
                body.push(jump(libc::BPF_JEQ, *family, to_allow, 0));
            }
            body.push(refuse(libc::EAFNOSUPPORT));
            body.push(allow());
            body
        }
    }
}

// Classic BPF opcodes fit in sixteen bits.
fn load(offset: u32) -> sock_filter {
    sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

fn and(mask: u32) -> sock_filter {
    let code = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
    sock_filter { code, jt: 0, jf: 0, k: mask }
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | condition | libc::BPF_K) as u16, jt, jf, k }
}

fn answer(k: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k }
}

fn refuse(errno: i32) -> sock_filter {
    answer(libc::SECCOMP_RET_ERRNO | errno as u32)
}

fn allow() -> sock_filter {
    answer(libc::SECCOMP_RET_ALLOW)
}
