//! Removing what a command can leave in the namespaces that the next one gets.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::confine::Confinement;
use super::kernel;

/// Removes traces.
pub(crate) struct Traces {
    /// The last process number given out; some kernels do not have the setting.
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
            // Only so that process numbers repeat; nothing depends on it.
            let _ = rustix::io::pwrite(last_pid, b"1", 0);
        }
        Ok(())
    }
}
