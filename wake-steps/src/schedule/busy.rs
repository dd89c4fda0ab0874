//! Keys of actions that are being performed, for steps that share one.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use wake_model::ActionDigest;

/// The keys that are being performed, so that no two workers perform one at the same time.
#[derive(Default)]
pub(super) struct Busy {
    keys: Mutex<HashSet<ActionDigest>>,
    freed: Condvar,
}

/// The right to perform a key, given back when it is dropped.
pub(super) struct KeyLock<'a> {
    busy: &'a Busy,
    key: ActionDigest,
}

impl Busy {
    /// Waits until nobody performs `key`.
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
