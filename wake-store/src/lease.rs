//! Who may delete: builds share the store, garbage collection locks it exclusively for a moment.
//!
//! There are two locks: everybody passes the *gate* before taking the *lock*. Garbage collection keeps the gate closed
//! while it waits for the lock, so builds that keep arriving cannot starve it. The kernel releases both when a process
//! dies.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{At, StoreError};
use crate::layout::Layout;

/// A hold on the store: nobody else deletes anything while it exists.
#[derive(Debug)]
pub(crate) struct Lease {
    gate: File,
    lock: File,
}

/// How a lease must acquire its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Shared,
    Alone,
}

impl Lease {
    /// Takes the lock shared, waiting for a garbage collection in progress.
    pub(crate) fn shared(layout: &Layout) -> Result<Self, StoreError> {
        let lease = Lease { gate: lock_file(&layout.gate)?, lock: lock_file(&layout.lock)? };
        lease.take(layout, Mode::Shared, &mut || {})?;
        Ok(lease)
    }

    /// Turns a shared hold into an exclusive one, calling `waiting` once if others must finish first.
    ///
    /// The shared hold is released meanwhile: what was looked up before may have been deleted afterwards.
    pub(crate) fn make_exclusive(
        &self,
        layout: &Layout,
        waiting: &mut dyn FnMut(),
    ) -> Result<(), StoreError> {
        self.take(layout, Mode::Alone, waiting)
    }

    /// Returns to a shared hold.
    pub(crate) fn make_shared(&self, layout: &Layout) -> Result<(), StoreError> {
        lock(&self.lock, FlockOperation::LockShared).at(&layout.lock)
    }

    fn take(
        &self,
        layout: &Layout,
        mode: Mode,
        waiting: &mut dyn FnMut(),
    ) -> Result<(), StoreError> {
        let (now, later) = match mode {
            Mode::Shared => (FlockOperation::NonBlockingLockShared, FlockOperation::LockShared),
            Mode::Alone => {
                (FlockOperation::NonBlockingLockExclusive, FlockOperation::LockExclusive)
            }
        };
        if mode == Mode::Alone {
            // Two collectors that each kept a shared hold would wait for each other forever.
            lock(&self.lock, FlockOperation::Unlock).at(&layout.lock)?;
        }
        let mut told = false;
        for (file, path) in [(&self.gate, &layout.gate), (&self.lock, &layout.lock)] {
            match lock(file, now) {
                Err(Errno::WOULDBLOCK) => {
                    if !told {
                        waiting();
                        told = true;
                    }
                    lock(file, later).at(path)?;
                }
                other => other.at(path)?,
            }
        }
        lock(&self.gate, FlockOperation::Unlock).at(&layout.gate)
    }
}

fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}

fn lock_file(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).at(path)
}
