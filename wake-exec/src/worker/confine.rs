//! Entering the namespaces, once in the life of a worker.

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

/// What a process has become.
pub(crate) enum ForkRole {
    /// The process outside, which waits for the worker and says who owns what.
    Parent(Overseer),
    /// The worker; nothing is known of it where it is not confined.
    Worker(Option<Confinement>),
}

/// What a worker has in hand once it is inside.
pub(crate) struct Confinement {
    /// Its own process number as the executor sees it.
    pub(crate) outer_pid: i32,
    /// Its copy of the host's mounts.
    pub(crate) host: HostMounts,
    /// The process file system of its own process namespace.
    pub(crate) proc: OwnedFd,
    /// For what is to be shown with its own owners.
    pub(crate) owners: Owners,
    /// Who commands run as, where that is somebody else than the worker.
    pub(crate) owner: Option<Owner>,
    /// What commands use that would show to the next one.
    pub(crate) uses: Uses,
    /// Who commands see themselves as.
    pub(crate) identity: Identity,
    /// The users among whom commands live that have rights over them, where there are such.
    pub(crate) inside: Option<Inside>,
    /// The owners of files on disk; none where they cannot be given away.
    pub(crate) disk_owners: Option<DiskOwners>,
    /// What commands may reach.
    pub(crate) network: Network,
    /// Whether it has a network that nobody else has, which the next command gets anew.
    pub(crate) has_own_network: bool,
}

/// The mount namespace in which the host's paths mean what they mean to the executor.
pub(crate) struct HostMounts {
    pub(crate) ns: OwnedFd,
    pub(crate) root: OwnedFd,
}

impl HostMounts {
    /// Goes back into it from another one.
    pub(crate) fn enter(&self) -> Result<(), Errno> {
        move_into_link_name_space(self.ns.as_fd(), Some(LinkNameSpaceType::Mount))?;
        // The executor's root may be a directory of the namespace's root.
        rustix::process::fchdir(&self.root)?;
        rustix::process::chroot(".")
    }
}

/// The user outside that stands for the command's user where the worker itself is root: one that owns
/// nothing, for as user 0 outside a command could write to `/proc/sys` without any capability.
const NOBODY_OUTSIDE: u32 = 2_000_000_000;

/// Users of a command's own: what it may do to them it may do to nobody else.
pub(crate) struct Inside {
    /// Their namespace.
    pub(crate) users: OwnedFd,
    /// Who the command is among them.
    pub(crate) owner: Owner,
    /// Whether it has rights over them.
    pub(crate) has_rights: bool,
}

/// How many users there are inside, from 0 on.
const INSIDE: u32 = 1 << 16;

/// The first number, outside, of the users inside, where so many exist; none where they are too few.
fn first_inside(count: u32) -> Option<u32> {
    // What belongs to somebody outside has a small number.
    let first = NOBODY_OUTSIDE.min(count.checked_sub(INSIDE + 1)?);
    (first >= INSIDE).then_some(first)
}

/// Whether this process can give a command several users and groups, and files to any of them.
pub fn keeps_owners() -> bool {
    match Numbers::of_root() {
        Ok(Numbers::All { users, groups }) => first_inside(users.min(groups)).is_some(),
        _ => false,
    }
}

fn has_own_network(class: &WorkerClass) -> bool {
    class.network == Network::None && class.place.is_none()
}

/// Forks into new namespaces. Both processes return.
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
    // Root needs no user namespace; what it runs then has the command's numbers outside as well.
    let is_plain = class.identity.uid != 0 && class.identity.rights == Rights::Ordinary;
    if !is_plain || !rustix::process::geteuid().is_root() {
        return Err(JobError::unavailable("user namespaces", refused));
    }
    let fork = kernel::fork_into(namespaces);
    let fork = fork.map_err(|_| JobError::unavailable("user namespaces", refused))?;
    go_on(fork, pipes, class, UserNs::Hosts)
}

/// The first steps of either process after the fork.
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

/// What the process outside tells the one inside before it goes on.
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

/// Says who the users inside are outside.
///
/// An ordinary user becomes the command's user. Root maps everybody, with the command's user and a user
/// who owns nothing swapped, so that it can still read everybody's files. A command with rights over users is none of them.
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

/// Whoever owns nothing among so many users.
fn nobody(count: u32) -> u32 {
    NOBODY_OUTSIDE.min(count - 1)
}

/// Whom this process may map into a user namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// All that there are, from 0 on.
    All { users: u32, groups: u32 },
    /// Itself.
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

/// Makes the users inside, with an ordinary process for their first one, which is gone when they are made.
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
    // One number more where the command's is none of them.
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

/// Which numbers, from 0 on, exist in this process's own user namespace.
enum Ids {
    /// So many, 0 among them.
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

/// The map of `count` numbers onto themselves, with `a` and `b` swapped.
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

/// The rest of the way, inside.
fn inside(
    class: &WorkerClass,
    outer_pid: i32,
    userns: UserNs,
    mut owners: Owners,
) -> Result<Confinement, JobError> {
    // Everything below dies with the process outside, and that with the executor.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|errno| JobError::step("watch", "parent process", errno))?;
    kernel::default_signals();
    // No terminal can be reached from it, nor from what it starts.
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
        // A second lock behind the system call filter; some kernels do not have the setting.
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

/// This process's present mount namespace.
pub(crate) fn mount_namespace(proc: impl AsFd) -> Result<OwnedFd, JobError> {
    rustix::fs::openat(proc, "self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| JobError::step("open", "/proc/self/ns/mnt", errno))
}

/// This process's present root directory.
fn open_root() -> Result<OwnedFd, JobError> {
    rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| JobError::step("open", "/", errno))
}

/// Writes a setting below `dir`.
pub(crate) fn write_at(dir: impl AsFd, path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    kernel::write_all(&file, bytes)
}
