//! Stopping jobs from another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Cancels every job that was started with it, now and in future.
///
/// Cheap to clone; a clone is the same token.
#[derive(Clone, Debug)]
pub struct CancelToken(Arc<OwnedFd>);

impl CancelToken {
    /// A token that nobody has cancelled.
    pub fn new() -> io::Result<Self> {
        Ok(CancelToken(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Cancels; safe in a signal handler, and harmless when done twice.
    pub fn cancel(&self) {
        // Nothing to do about a failure: the counter can only be full, which is cancelled too.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Whether somebody has cancelled.
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Becomes readable when somebody cancels, and stays so.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
