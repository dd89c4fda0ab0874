//! Hearing of what a command uses that would show to the next one in its namespaces, however well it tidies up after itself:
//! System V objects, whose numbers go on rising, and sockets of the network, whose packets are counted.
//!
//! The system call filter has the kernel ask before such an object is made. The answer is always yes; it is the question
//! that counts.

use std::cell::Cell;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::kernel::last_errno;

/// What was used since somebody asked last.
pub(crate) struct Uses {
    /// Where the kernel asks; none where it cannot, and then everything counts as used.
    listener: Option<OwnedFd>,
    objects: Cell<bool>,
    sockets: Cell<bool>,
}

impl Uses {
    /// `listener` is what [`super::seccomp::install`] gave.
    pub(crate) fn new(listener: Option<OwnedFd>) -> Self {
        Uses { listener, objects: Cell::new(false), sockets: Cell::new(false) }
    }

    /// What is readable when the kernel asks: then [`Uses::answer`] is to be called, for somebody waits for that.
    pub(crate) fn questions(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(|listener| listener.as_fd())
    }

    /// Notes what is about to be used, and lets it be.
    pub(crate) fn answer(&self) -> Result<(), Errno> {
        let Some(listener) = &self.listener else { return Ok(()) };
        // SAFETY: all-zero is a valid structure of numbers, which the kernel asks for and overwrites.
        let mut question: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        let asked = control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question);
        match asked {
            // Who asked is gone.
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

    /// Whether System V objects were made since this was last asked, or may have been.
    pub(crate) fn take_objects(&self) -> bool {
        self.objects.replace(false) || self.listener.is_none()
    }

    /// Whether sockets of the network were.
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
