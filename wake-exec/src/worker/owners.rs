//! Showing what lies on the host with the owners that it has there.
//!
//! Where the executor is root, the command's user is somebody else outside, so that what belongs to that number on disk
//! would belong to a stranger inside. A mount can put this right, but only a process outside may say so: the one
//! that waits for the worker.

use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::kernel;

/// A user and a group, as numbers inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The numbers that files have on disk, for those that they have to the worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskOwners {
    pub(crate) users: DiskNumbers,
    pub(crate) groups: DiskNumbers,
}

/// Which number on disk, as the worker has to say it, stands for one that it sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DiskNumbers {
    /// The same, but for these two, which stand for each other.
    Swapped(u32, u32),
    /// Of those from the first one on, as far as the second says, the numbers that a command has inside; else the same.
    Inside { first: u32, count: u32, last: u32 },
}

impl DiskNumbers {
    /// The number on disk.
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

/// The worker's end.
pub(crate) struct Owners {
    pub(crate) ask: OwnedFd,
    pub(crate) answer: OwnedFd,
    /// The users among whom a command lives, where these are others than the worker's.
    pub(crate) users: Option<OwnedFd>,
}

impl Owners {
    /// Makes `mount`, which is attached nowhere yet, show the owners on disk.
    ///
    /// It stays as it is where the kernel or the file system cannot do that, or the executor is not root.
    pub(crate) fn keep(&self, mount: &OwnedFd) -> Result<(), Errno> {
        let users = self.users.as_ref().map_or(-1, |users| users.as_raw_fd());
        let mut question = [0; 8];
        question[..4].copy_from_slice(&mount.as_raw_fd().to_ne_bytes());
        question[4..].copy_from_slice(&users.to_ne_bytes());
        kernel::write_all(&self.ask, &question)?;
        let mut done = [0];
        match kernel::read_some(&self.answer, &mut done)? {
            0 => Err(Errno::PIPE),
            _ => Ok(()),
        }
    }
}

/// The end outside.
pub(crate) struct Overseer {
    pub(crate) worker: libc::pid_t,
    pub(crate) asked: OwnedFd,
    pub(crate) answers: OwnedFd,
}

impl Overseer {
    /// Does what the worker asks for until there is no worker.
    pub(crate) fn serve(self) {
        let tools = self.tools();
        let mut question = [0; 8];
        while let Ok(8) = kernel::read_some(&self.asked, &mut question) {
            let [a, b, c, d, e, f, g, h] = question;
            let (mount, users) = ([a, b, c, d], [e, f, g, h]);
            if let Ok((worker, own)) = &tools {
                let of_worker = |number: [u8; 4]| {
                    pidfd_getfd(worker, i32::from_ne_bytes(number), PidfdGetfdFlags::empty())
                };
                let mapped = of_worker(mount).and_then(|mount| match i32::from_ne_bytes(users) {
                    -1 => kernel::map_owners(&mount, own),
                    _ => of_worker(users).and_then(|users| kernel::map_owners(&mount, users)),
                });
                // What cannot be done is left: files of those numbers have another owner then.
                let _ = mapped;
            }
            if kernel::write_all(&self.answers, &[1]).is_err() {
                return;
            }
        }
    }

    /// The worker as a process to take descriptors from, and its user namespace.
    fn tools(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let pid = Pid::from_raw(self.worker).ok_or(Errno::SRCH)?;
        let users = std::fs::File::open(format!("/proc/{}/ns/user", self.worker))
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok((pidfd_open(pid, PidfdFlags::empty())?, users.into()))
    }
}
