//! Entering the namespaces, once in a worker's life.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::Resource;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::kernel::{self, Fork};
use super::owners::{DiskNumbers, DiskOwners, Overseer, Owner, Owners};
use super::uses::Uses;
use super::{hold, mounts, seccomp};
use crate::job::{Identity, Network, Rights};
use crate::wire::{JobError, WorkerClass};

/// The role of a process after the fork.
pub(crate) enum ForkRole {
    /// The process outside, which waits for the worker and maps owners on its behalf.
    Parent(Overseer),
    /// The worker, with its confinement; none if it is not confined.
    Worker(Option<Confinement>),
}

/// The resources of a confined worker.
pub(crate) struct Confinement {
    /// Its own process ID as the executor sees it.
    pub(crate) outer_pid: i32,
    /// Its copy of the host's mounts.
    pub(crate) host: HostMounts,
    /// The procfs of its own PID namespace.
    pub(crate) proc: OwnedFd,
    /// Maps owners for mounts that must show them unchanged.
    pub(crate) owners: Owners,
    /// The user that commands run as, if it differs from the worker's.
    pub(crate) owner: Option<Owner>,
    /// Uses of kernel objects that would be visible to the next command.
    pub(crate) uses: Uses,
    /// The user, group and host name that commands see.
    pub(crate) identity: Identity,
    /// The users for commands with rights over users, if there are such.
    pub(crate) inside: Option<Inside>,
    /// The owners of files on disk; none if owners cannot be set.
    pub(crate) disk_owners: Option<DiskOwners>,
    /// What commands may reach.
    pub(crate) network: Network,
    /// Whether the worker has a private network namespace, which is renewed for the next command.
    pub(crate) has_own_network: bool,
}

/// The mount namespace in which the host's paths have the same meaning as for the executor.
pub(crate) struct HostMounts {
    pub(crate) ns: OwnedFd,
    pub(crate) root: OwnedFd,
}

impl HostMounts {
    /// Returns to it from another mount namespace.
    pub(crate) fn enter(&self) -> Result<(), Errno> {
        move_into_link_name_space(self.ns.as_fd(), Some(LinkNameSpaceType::Mount))?;
        // The executor's root may be a subdirectory of the namespace's root.
        rustix::process::fchdir(&self.root)?;
        rustix::process::chroot(".")
    }
}

/// The outside user that the command's user maps to if the worker itself is root. It owns nothing: as user 0 outside, a
/// command could write to `/proc/sys` without any capability.
const NOBODY_OUTSIDE: u32 = 2_000_000_000;

/// A command's own users: it has rights over these and no others.
pub(crate) struct Inside {
    /// Their user namespace.
    pub(crate) users: OwnedFd,
    /// The command's own user and group among them.
    pub(crate) owner: Owner,
    /// Whether the command has rights over them.
    pub(crate) has_rights: bool,
}

/// The number of users inside, from 0 on.
const INSIDE: u32 = 1 << 16;

/// Returns the first outside ID of the users inside, if `count` IDs exist; none if that is too few.
fn first_inside(count: u32) -> Option<u32> {
    // IDs that own anything outside are small.
    let first = NOBODY_OUTSIDE.min(count.checked_sub(INSIDE + 1)?);
    (first >= INSIDE).then_some(first)
}

/// Returns whether this process can give a command several users and groups, and set any of them as owners of files.
pub fn keeps_owners() -> bool {
    match Numbers::of_root() {
        Ok(Numbers::All { users, groups }) => first_inside(users.min(groups)).is_some(),
        _ => false,
    }
}

fn has_own_network(class: &WorkerClass) -> bool {
    class.network == Network::None && class.place.is_none()
}

/// Forks into new namespaces. Returns in both processes.
pub(crate) fn confine(class: &WorkerClass) -> Result<ForkRole, JobError> {
    if let Some(place) = class.place {
        hold::join(place)?;
    }
    let numbers = Numbers::of_root();
    let has_own_network = has_own_network(class);
    let namespaces = kernel::NAMESPACES | if has_own_network { libc::CLONE_NEWNET } else { 0 };
    let pipes = [pipe()?, pipe()?];
    let refused = match kernel::fork_into(namespaces | libc::CLONE_NEWUSER) {
        Ok(fork) => return go_on(fork, pipes, class, UserNs::Own(numbers)),
        Err(errno) => errno,
    };
    // Root needs no user namespace; what it runs then has the command's IDs outside as well.
    let is_plain = class.identity.uid != 0 && class.identity.rights == Rights::Ordinary;
    if !is_plain || !rustix::process::geteuid().is_root() {
        return Err(JobError::unavailable("user namespaces", refused));
    }
    let fork = kernel::fork_into(namespaces);
    let fork = fork.map_err(|_| JobError::unavailable("user namespaces", refused))?;
    go_on(fork, pipes, class, UserNs::Hosts)
}

/// Performs the first steps of either process after the fork.
fn go_on(
    fork: Fork,
    pipes: [(OwnedFd, OwnedFd); 2],
    class: &WorkerClass,
    userns: UserNs,
) -> Result<ForkRole, JobError> {
    let [(wait, go), (asked, ask)] = pipes;
    match fork {
        Fork::Parent(child) => {
            drop((wait, ask));
            let mapped = match userns {
                UserNs::Own(numbers) => {
                    numbers.and_then(|numbers| map_users(child, class, numbers))
                }
                UserNs::Hosts => Ok(()),
            };
            let note = StartNote { pid: child, mapped };
            note.send(&go).map_err(|errno| JobError::step("write", "pipe", errno))?;
            let Identity { uid, gid, .. } = class.identity;
            let command = Owner { uid, gid };
            Ok(ForkRole::Parent(Overseer { worker: child, command, asked, answers: go }))
        }
        Fork::Child => {
            drop((go, asked));
            let note = StartNote::receive(&wait)?;
            note.mapped.map_err(|errno| JobError::unavailable("mapping user numbers", errno))?;
            inside(class, note.pid, userns, Owners { ask, answer: wait, users: None })
                .map(|confined| ForkRole::Worker(Some(confined)))
        }
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), JobError> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|errno| JobError::step("create", "pipe", errno))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum UserNs {
    Own(Result<Numbers, Errno>),
    Hosts,
}

/// What the outside process tells the inside one before that continues.
struct StartNote {
    pid: libc::pid_t,
    mapped: Result<(), Errno>,
}

impl StartNote {
    fn send(&self, to: &OwnedFd) -> Result<(), Errno> {
        let errno = self.mapped.err().map_or(0, Errno::raw_os_error);
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.pid.to_ne_bytes());
        bytes[4..].copy_from_slice(&errno.to_ne_bytes());
        kernel::write_all(to, &bytes)
    }

    fn receive(from: &OwnedFd) -> Result<Self, JobError> {
        let mut bytes = [0; 8];
        match kernel::read_some(from, &mut bytes) {
            Ok(8) => {}
            Ok(_) => return Err(JobError::step("read", "pipe", Errno::PIPE)),
            Err(errno) => return Err(JobError::step("read", "pipe", errno)),
        }
        let [a, b, c, d, e, f, g, h] = bytes;
        let mapped = match i32::from_ne_bytes([e, f, g, h]) {
            0 => Ok(()),
            errno => Err(Errno::from_raw_os_error(errno)),
        };
        Ok(StartNote { pid: i32::from_ne_bytes([a, b, c, d]), mapped })
    }
}

/// Maps the users inside to users outside.
///
/// An ordinary user becomes the command's user. Root maps everybody, with the command's user and a user that owns
/// nothing swapped, so that it can still read everybody's files. The user of a command with rights over users is not
/// swapped.
fn map_users(child: libc::pid_t, class: &WorkerClass, numbers: Numbers) -> Result<(), Errno> {
    let Identity { uid, gid, rights, .. } = class.identity;
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/{child}/{file}"), text)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    };
    match (numbers, rights) {
        (Numbers::All { users, groups }, Rights::Ordinary) => {
            write("uid_map", swap(uid, nobody(users), users))?;
            write("gid_map", swap(gid, nobody(groups), groups))
        }
        (Numbers::All { users, groups }, Rights::Owners | Rights::Users) => {
            write("uid_map", format!("0 0 {users}\n"))?;
            write("gid_map", format!("0 0 {groups}\n"))
        }
        (Numbers::One, Rights::Ordinary) => {
            let (euid, egid) = (rustix::process::geteuid(), rustix::process::getegid());
            write("setgroups", "deny".to_owned())?;
            write("uid_map", format!("{uid} {} 1\n", euid.as_raw()))?;
            write("gid_map", format!("{gid} {} 1\n", egid.as_raw()))
        }
        (Numbers::One, Rights::Owners | Rights::Users) => Err(Errno::PERM),
    }
}

/// Returns a user that owns nothing among `count` users.
fn nobody(count: u32) -> u32 {
    NOBODY_OUTSIDE.min(count - 1)
}

/// The IDs that this process may map into a user namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// All existing IDs, from 0 on.
    All { users: u32, groups: u32 },
    /// Only its own.
    One,
}

impl Numbers {
    fn of_root() -> Result<Numbers, Errno> {
        let is_root = rustix::process::geteuid().is_root();
        match Ids::of_root("uid_map")? {
            Ids::Many(users) if is_root => match Ids::of_root("gid_map")? {
                Ids::Many(groups) => Ok(Numbers::All { users, groups }),
                _ => Err(Errno::PERM),
            },
            Ids::RootAlone if is_root => Err(Errno::PERM),
            _ => Ok(Numbers::One),
        }
    }
}

/// Creates the users inside, with an ordinary process as their first one, which exits once they exist.
fn users_inside(
    class: &WorkerClass,
    numbers: Numbers,
    proc: &OwnedFd,
) -> Result<(Inside, Owner, DiskOwners), Errno> {
    let Numbers::All { users, groups } = numbers else { return Err(Errno::PERM) };
    let first = first_inside(users.min(groups)).ok_or(Errno::PERM)?;
    let Identity { uid, gid, .. } = class.identity;
    let child = match kernel::fork_into(libc::CLONE_NEWUSER)? {
        Fork::Parent(child) => child,
        Fork::Child => loop {
            rustix::event::pause();
        },
    };
    // One more ID if the command's is not among them.
    let map = |id: u32| match id < INSIDE {
        true => format!("0 {first} {INSIDE}\n"),
        false => format!("0 {first} {INSIDE}\n{id} {} 1\n", first + INSIDE),
    };
    let users = write_at(proc, &format!("{child}/uid_map"), map(uid).as_bytes())
        .and_then(|()| write_at(proc, &format!("{child}/gid_map"), map(gid).as_bytes()))
        .and_then(|()| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::openat(proc, format!("{child}/ns/user"), flags, Mode::empty())
        });
    // SAFETY: takes numbers only; the process is a child that nothing else has reaped.
    unsafe { libc::kill(child, libc::SIGKILL) };
    kernel::reap_one(child, kernel::Wait::Block)?;
    let outside = |id: u32| first + id.min(INSIDE);
    let disk = |last: u32| DiskNumbers::Inside { first, count: INSIDE, last };
    Ok((
        Inside {
            users: users?,
            owner: Owner { uid, gid },
            has_rights: class.identity.rights == Rights::Owners,
        },
        Owner { uid: outside(uid), gid: outside(gid) },
        DiskOwners { users: disk(uid), groups: disk(gid) },
    ))
}

/// The IDs, from 0 on, that exist in this process's own user namespace.
enum Ids {
    /// This many, including 0.
    Many(u32),
    /// Only 0, which is 0 outside as well.
    RootAlone,
    /// Only 0, which is an ordinary user outside; or 0 does not exist.
    Ordinary,
}

impl Ids {
    fn of_root(map: &str) -> Result<Self, Errno> {
        let text = fs::read_to_string(format!("/proc/self/{map}"))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let first = text.lines().find_map(|line| {
            let mut words = line.split_whitespace().map(|word| word.parse::<u32>().ok());
            let (start, outside, count) = (words.next()??, words.next()??, words.next()??);
            (start == 0).then_some((outside, count))
        });
        Ok(match first {
            Some((_, count)) if count > 1 => Ids::Many(count),
            Some((0, _)) => Ids::RootAlone,
            _ => Ids::Ordinary,
        })
    }
}

/// Returns the identity map of `count` IDs with `a` and `b` swapped.
fn swap(a: u32, b: u32, count: u32) -> String {
    if a >= count || a == b {
        return format!("0 0 {count}\n");
    }
    let (low, high) = (a.min(b), a.max(b));
    [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
        .into_iter()
        .chain([(high + 1, high + 1, count - high - 1)])
        .filter(|(_, _, length)| *length > 0)
        .map(|(inside, outside, length)| format!("{inside} {outside} {length}\n"))
        .collect()
}

/// Performs the remaining steps, inside.
fn inside(
    class: &WorkerClass,
    outer_pid: i32,
    userns: UserNs,
    mut owners: Owners,
) -> Result<Confinement, JobError> {
    // Everything below dies with the outside process, which in turn dies with the executor.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|errno| JobError::step("watch", "parent process", errno))?;
    kernel::default_signals();
    // Neither this process nor its descendants can reach a terminal.
    rustix::process::setsid().map_err(|errno| JobError::step("start", "session", errno))?;
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM)
        .map_err(|errno| JobError::unavailable("mount namespaces", errno))?;
    rustix::system::sethostname(class.identity.hostname.as_bytes())
        .map_err(|errno| JobError::step("set", "host name", errno))?;
    if has_own_network(class) {
        kernel::loopback_up()
            .map_err(|errno| JobError::unavailable("network namespaces", errno))?;
    }
    let proc = mounts::proc().map_err(|errno| JobError::unavailable("mounting /proc", errno))?;
    let Identity { uid, gid, rights, .. } = class.identity;
    let other = rustix::process::geteuid().as_raw() != uid;
    let mut owner = other.then_some(Owner { uid, gid });
    let mut inside = None;
    let mut disk_owners = match userns {
        UserNs::Own(Ok(Numbers::All { users, groups })) => Some(DiskOwners {
            users: DiskNumbers::Swapped(uid, nobody(users)),
            groups: DiskNumbers::Swapped(gid, nobody(groups)),
        }),
        UserNs::Own(_) => None,
        UserNs::Hosts => Some(DiskOwners {
            users: DiskNumbers::Swapped(uid, uid),
            groups: DiskNumbers::Swapped(gid, gid),
        }),
    };
    if let (Rights::Owners | Rights::Users, UserNs::Own(Ok(numbers))) = (rights, userns) {
        let (users, outside, disk) = users_inside(class, numbers, &proc)
            .map_err(|errno| JobError::unavailable("user namespaces", errno))?;
        let again = users.users.try_clone();
        owners.users =
            Some(again.map_err(|error| JobError::step("open", "user namespace", error))?);
        (inside, owner, disk_owners) = (Some(users), Some(outside), Some(disk));
    }
    if matches!(userns, UserNs::Own(_)) {
        // A second barrier behind the system call filter; some kernels do not have the setting.
        let _ = write_at(&proc, "sys/user/max_user_namespaces", b"0");
    }
    let host = HostMounts { ns: mount_namespace(&proc)?, root: open_root()? };
    kernel::drop_bounding_set().map_err(|errno| JobError::step("drop", "capabilities", errno))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|errno| JobError::step("drop", "privileges", errno))?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|errno| JobError::step("hide", "worker process", errno))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let identity = class.identity.clone();
    if owner.is_some() {
        rustix::thread::set_thread_groups(&[])
            .map_err(|errno| JobError::step("drop", "groups", errno))?;
    }
    kernel::limit(Resource::Core, 0, 0)
        .and_then(|()| kernel::limit(Resource::Stack, 8 << 20, libc::RLIM_INFINITY))
        .map_err(|errno| JobError::step("limit", "worker process", errno))?;
    let listener =
        seccomp::install().map_err(|errno| JobError::unavailable("system call filters", errno))?;
    let uses = Uses::new(listener);
    let network = class.network;
    Ok(Confinement {
        outer_pid,
        host,
        proc,
        owners,
        owner,
        inside,
        disk_owners,
        identity,
        network,
        has_own_network: has_own_network(class),
        uses,
    })
}

/// Returns this process's current mount namespace.
pub(crate) fn mount_namespace(proc: impl AsFd) -> Result<OwnedFd, JobError> {
    rustix::fs::openat(proc, "self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| JobError::step("open", "/proc/self/ns/mnt", errno))
}

/// Returns this process's current root directory.
fn open_root() -> Result<OwnedFd, JobError> {
    rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| JobError::step("open", "/", errno))
}

/// Writes a setting below `dir`.
pub(crate) fn write_at(dir: impl AsFd, path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    kernel::write_all(&file, bytes)
}
