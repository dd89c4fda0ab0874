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

/// The worker's end.
pub(crate) struct Owners {
    pub(crate) ask: OwnedFd,
    pub(crate) answer: OwnedFd,
}

impl Owners {
    /// Makes `mount`, which is attached nowhere yet, show the owners on disk.
    ///
    /// It stays as it is where the kernel or the file system cannot do that, or the executor is not root.
    pub(crate) fn keep(&self, mount: &OwnedFd) -> Result<(), Errno> {
        kernel::write_all(&self.ask, &mount.as_raw_fd().to_ne_bytes())?;
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
        let mut number = [0; 4];
        while let Ok(4) = kernel::read_some(&self.asked, &mut number) {
            if let Ok((worker, users)) = &tools {
                let mount =
                    pidfd_getfd(worker, i32::from_ne_bytes(number), PidfdGetfdFlags::empty());
                // What cannot be done is left: files of that one number have another owner then.
                let _ = mount.and_then(|mount| kernel::map_owners(&mount, users));
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
