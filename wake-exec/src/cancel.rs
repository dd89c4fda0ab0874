//! Cancelling jobs from another thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Cancels every job that was started with it, now and in the future.
///
/// Cheap to clone; a clone is the same token.
#[derive(Clone, Debug)]
pub struct CancelToken(Arc<OwnedFd>);

impl CancelToken {
    /// Returns a token that is not cancelled.
    pub fn new() -> io::Result<Self> {
        Ok(CancelToken(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Cancels the token's jobs. Safe in a signal handler; repeated calls have no effect.
    pub fn cancel(&self) {
        // A failure can be ignored: it means that the counter is full, so the token is cancelled already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Returns whether the token has been cancelled.
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Becomes readable once the token is cancelled, and stays readable.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
