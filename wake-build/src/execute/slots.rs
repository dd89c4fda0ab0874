//! How many commands run at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Rights to run a command, so that steps can be got ready and put away while others run.
pub(crate) struct Slots {
    all: usize,
    free: Mutex<Free>,
    changed: Condvar,
}

struct Free {
    count: usize,
    closed: bool,
}

/// The right to run one command, given back when it is dropped.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    /// How many places it takes.
    count: usize,
}

impl Slots {
    /// As many as this.
    pub(crate) fn new(count: usize) -> Slots {
        let all = count.max(1);
        let free = Free { count: all, closed: false };
        Slots { all, free: Mutex::new(free), changed: Condvar::new() }
    }

    /// Gives no more of them out, also to those who wait: the build is over.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for as many places, or all there are if these are fewer; none if no more are given out.
    pub(super) fn take(&self, places: usize) -> Option<Slot<'_>> {
        let count = places.clamp(1, self.all);
        let mut free = self.lock();
        while free.count < count && !free.closed {
            free = self.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        if free.closed {
            return None;
        }
        free.count -= count;
        Some(Slot { slots: self, count })
    }

    fn lock(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.slots.lock().count += self.count;
        // Not one: who is woken may need more places than there are, and another fewer.
        self.slots.changed.notify_all();
    }
}
