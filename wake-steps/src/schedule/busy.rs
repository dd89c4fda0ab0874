//! Keys of actions in progress, for steps that share one.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use wake_model::ActionDigest;

/// The keys in progress, so that no two threads perform the same one at a time.
#[derive(Default)]
pub(super) struct Busy {
    keys: Mutex<HashSet<ActionDigest>>,
    freed: Condvar,
}

/// The right to perform a key, released when it is dropped.
pub(super) struct KeyLock<'a> {
    busy: &'a Busy,
    key: ActionDigest,
}

impl Busy {
    /// Waits until no other thread performs `key`.
    pub(super) fn wait_for(&self, key: ActionDigest) -> KeyLock<'_> {
        let mut keys = self.lock();
        while !keys.insert(key) {
            keys = self.freed.wait(keys).unwrap_or_else(PoisonError::into_inner);
        }
        KeyLock { busy: self, key }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<ActionDigest>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyLock<'_> {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.key);
        self.busy.freed.notify_all();
    }
}
