//! Learns which objects a command uses that remain visible to the next one in its namespaces, however well it cleans
//! up: System V objects, whose IDs keep increasing, and network sockets, whose packets are counted.
//!
//! The system call filter makes the kernel ask before such an object is created. The answer is always yes; only the
//! question matters.

use std::cell::Cell;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::kernel::last_errno;

/// What was used since it was last queried.
pub(crate) struct Uses {
    /// The descriptor on which the kernel asks; none if it cannot, and then everything counts as used.
    listener: Option<OwnedFd>,
    objects: Cell<bool>,
    sockets: Cell<bool>,
}

impl Uses {
    /// `listener` is the result of [`super::seccomp::install`].
    pub(crate) fn new(listener: Option<OwnedFd>) -> Self {
        Uses { listener, objects: Cell::new(false), sockets: Cell::new(false) }
    }

    /// Returns a descriptor that is readable when the kernel asks: [`Uses::answer`] must then be called, because a
    /// command is waiting.
    pub(crate) fn questions(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(|listener| listener.as_fd())
    }

    /// Records what is about to be used, and allows it.
    pub(crate) fn answer(&self) -> Result<(), Errno> {
        let Some(listener) = &self.listener else { return Ok(()) };
        // SAFETY: all-zero is a valid structure of numbers, which the kernel asks for and overwrites.
        let mut question: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        let asked = control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question);
        match asked {
            // The asking process is gone.
            Err(Errno::NOENT | Errno::INTR) => return Ok(()),
            other => other?,
        }
        let uses = match i64::from(question.data.nr) {
            libc::SYS_socket => &self.sockets,
            _ => &self.objects,
        };
        uses.set(true);
        let mut answer = libc::seccomp_notif_resp {
            id: question.id,
            val: 0,
            error: 0,
            flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        };
        match control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }

    /// Returns whether System V objects were, or may have been, created since the last call.
    pub(crate) fn take_objects(&self) -> bool {
        self.objects.replace(false) || self.listener.is_none()
    }

    /// Returns whether network sockets were, or may have been, created since the last call.
    pub(crate) fn take_sockets(&self) -> bool {
        self.sockets.replace(false) || self.listener.is_none()
    }
}

fn control<T>(listener: &OwnedFd, request: libc::Ioctl, value: *mut T) -> Result<(), Errno> {
    // SAFETY: the caller passes the structure that the request is about, which lives across the call.
    match unsafe { libc::ioctl(listener.as_raw_fd(), request, value) } {
        0.. => Ok(()),
        _ => Err(last_errno()),
    }
}
