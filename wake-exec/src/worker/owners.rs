//! Shows files of the host with their owners on disk, or as owned by the command.
//!
//! If the executor is root, the command's user is another user outside, so files that belong to that ID on disk would
//! appear to belong to a stranger inside. An ID-mapped mount corrects this, but only a process outside may create it:
//! the one that waits for the worker.

use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, getegid, geteuid, pidfd_getfd, pidfd_open,
};

use super::kernel;

/// A user and a group, as IDs inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Converts the owners that the worker sees to those on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskOwners {
    pub(crate) users: DiskNumbers,
    pub(crate) groups: DiskNumbers,
}

/// Which ID on disk, as the worker has to state it, stands for one that it sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DiskNumbers {
    /// The same, except that these two are swapped.
    Swapped(u32, u32),
    /// The `count` IDs from `first` on are those that a command has inside, from 0 on; the next one is `last`; all
    /// others are the same.
    Inside { first: u32, count: u32, last: u32 },
}

impl DiskNumbers {
    /// Returns the ID on disk.
    pub(crate) fn of(self, seen: u32) -> u32 {
        match self {
            DiskNumbers::Swapped(one, other) if seen == one => other,
            DiskNumbers::Swapped(one, other) if seen == other => one,
            DiskNumbers::Inside { first, count, .. } if (first..first + count).contains(&seen) => {
                seen - first
            }
            DiskNumbers::Inside { first, count, last } if seen == first + count => last,
            _ => seen,
        }
    }
}

/// The worker's end of the connection.
pub(crate) struct Owners {
    pub(crate) ask: OwnedFd,
    pub(crate) answer: OwnedFd,
    /// The users among whom a command lives, if these differ from the worker's.
    pub(crate) users: Option<OwnedFd>,
}

impl Owners {
    /// Makes the detached mount `mount` show the owners on disk.
    ///
    /// It stays as it is if the kernel or the file system does not support that, or the executor is not root.
    pub(crate) fn keep(&self, mount: &OwnedFd) -> Result<(), Errno> {
        self.ask(mount, Shown::AsOnDisk).map(drop)
    }

    /// Makes the executor's files in the detached mount `mount` appear as the command's; fails if that is not possible.
    pub(crate) fn give(&self, mount: &OwnedFd) -> Result<(), Errno> {
        if self.ask(mount, Shown::AsTheCommands)? { Ok(()) } else { Err(Errno::OPNOTSUPP) }
    }

    fn ask(&self, mount: &OwnedFd, shown: Shown) -> Result<bool, Errno> {
        let users = self.users.as_ref().map_or(NOBODY, |users| users.as_raw_fd());
        let mut question = [shown as u8; QUESTION];
        question[1..5].copy_from_slice(&mount.as_raw_fd().to_ne_bytes());
        question[5..].copy_from_slice(&users.to_ne_bytes());
        kernel::write_all(&self.ask, &question)?;
        let mut done = [0];
        match kernel::read_some(&self.answer, &mut done)? {
            0 => Err(Errno::PIPE),
            _ => Ok(done == [1]),
        }
    }
}

/// The bytes of a request: the mapping, the mount, the users.
const QUESTION: usize = 9;
/// The file descriptor in a request that has none.
const NOBODY: i32 = -1;

/// How owners in a mount are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// As on disk.
    AsOnDisk,
    /// The executor's as the command's.
    AsTheCommands,
}

/// The end of the connection outside.
pub(crate) struct Overseer {
    pub(crate) worker: libc::pid_t,
    /// The command's IDs inside.
    pub(crate) command: Owner,
    pub(crate) asked: OwnedFd,
    pub(crate) answers: OwnedFd,
}

impl Overseer {
    /// Serves the worker's requests until there is no worker.
    pub(crate) fn serve(self) {
        let worker = Pid::from_raw(self.worker)
            .and_then(|worker| pidfd_open(worker, PidfdFlags::empty()).ok());
        // Users on disk as they are inside; the executor as the command.
        let mut users = [None, None];
        let mut question = [0; QUESTION];
        while let Ok(QUESTION) = kernel::read_some(&self.asked, &mut question) {
            let [shown, a, b, c, d, e, f, g, h] = question;
            let known = &mut users[usize::from(shown != 0)];
            let known = known.get_or_insert_with(|| match shown {
                0 => self.users_inside(),
                _ => self.executor_as_command(),
            });
            let done = worker.as_ref().is_some_and(|worker| {
                let of_worker = |number: i32| pidfd_getfd(worker, number, PidfdGetfdFlags::empty());
                let (mount, theirs) = ([a, b, c, d], i32::from_ne_bytes([e, f, g, h]));
                let mapped =
                    of_worker(i32::from_ne_bytes(mount)).and_then(|mount| match (shown, theirs) {
                        (0, theirs) if theirs != NOBODY => {
                            of_worker(theirs).and_then(|users| kernel::map_owners(&mount, users))
                        }
                        _ => {
                            let known = known.as_ref().map_err(|errno| *errno)?;
                            kernel::map_owners(&mount, known)
                        }
                    });
                // A failure changes nothing and is reported.
                mapped.is_ok()
            });
            if kernel::write_all(&self.answers, &[u8::from(done)]).is_err() {
                return;
            }
        }
    }

    /// Returns the worker's user namespace.
    fn users_inside(&self) -> Result<OwnedFd, Errno> {
        namespace_of(self.worker)
    }

    /// Returns a user namespace that maps the executor's IDs to those that the command has outside.
    fn executor_as_command(&self) -> Result<OwnedFd, Errno> {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let outside = |map, inside| outside(self.worker, map, inside).ok_or(Errno::INVAL);
        let users = format!("{uid} {} 1\n", outside("uid_map", self.command.uid)?);
        let groups = format!("{gid} {} 1\n", outside("gid_map", self.command.gid)?);
        let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        match kernel::fork_into(libc::CLONE_NEWUSER)? {
            kernel::Fork::Child => {
                // The process exists to hold the namespace, until the other end is closed.
                drop(go);
                let _ = kernel::read_some(&wait, &mut [0]);
                kernel::exit()
            }
            kernel::Fork::Parent(holder) => {
                let write = |map: &str, text: &str| {
                    std::fs::write(format!("/proc/{holder}/{map}"), text)
                        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
                };
                let made = write("uid_map", &users)
                    .and_then(|()| write("gid_map", &groups))
                    .and_then(|()| namespace_of(holder));
                drop((wait, go));
                kernel::reap_one(holder, kernel::Wait::Block)?;
                made
            }
        }
    }
}

/// Returns the user namespace of a process.
fn namespace_of(pid: libc::pid_t) -> Result<OwnedFd, Errno> {
    std::fs::File::open(format!("/proc/{pid}/ns/user"))
        .map(OwnedFd::from)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Converts an ID inside a process's user namespace to one of this process's.
fn outside(pid: libc::pid_t, map: &str, inside: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{map}")).ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace().map(|word| word.parse::<u32>().ok());
        let (start, outside, count) = (words.next()??, words.next()??, words.next()??);
        let offset = inside.checked_sub(start)?;
        (offset < count).then_some(outside.checked_add(offset)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_owners_on_disk_match_the_user_inside() {
        let swapped = DiskNumbers::Swapped(1000, 2_000_000_000);
        for (seen, disk) in [(0, 0), (1000, 2_000_000_000), (2_000_000_000, 1000), (7, 7)] {
            assert_eq!(swapped.of(seen), disk);
        }
        let first = 2_000_000_000;
        let inside = DiskNumbers::Inside { first, count: 1 << 16, last: 70_000 };
        let last = first + (1 << 16);
        let pairs = [(first, 0), (first + 1000, 1000), (last - 1, 65_535), (last, 70_000)];
        for (seen, disk) in pairs.into_iter().chain([(0, 0), (last + 1, last + 1)]) {
            assert_eq!(inside.of(seen), disk);
        }
    }
}
