//! Removes what a command can leave in the namespaces that the next one uses.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::confine::Confinement;
use super::kernel;

/// Removes such traces.
pub(crate) struct Traces {
    /// The last process ID assigned; some kernels do not have the setting.
    last_pid: Option<OwnedFd>,
}

impl Traces {
    pub(crate) fn new(confined: &Confinement) -> Self {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let last_pid =
            rustix::fs::openat(&confined.proc, "sys/kernel/ns_last_pid", flags, Mode::empty()).ok();
        Traces { last_pid }
    }

    /// Gives the next command namespaces without a trace of the last one, which must be dead.
    pub(crate) fn remove(&self, confined: &Confinement) -> Result<(), Errno> {
        if confined.uses.take_objects() {
            kernel::unshare(libc::CLONE_NEWIPC)?;
        }
        if confined.uses.take_sockets() && confined.has_own_network {
            kernel::unshare(libc::CLONE_NEWNET)?;
            kernel::loopback_up()?;
        }
        if let Some(last_pid) = &self.last_pid {
            // Only makes process IDs reproducible; nothing depends on it.
            let _ = rustix::io::pwrite(last_pid, b"1", 0);
        }
        Ok(())
    }
}
