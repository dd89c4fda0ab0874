//! Progress and cancellation of reading or packing.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts bytes of packed wares that are read, or of files that are packed; another thread may read it meanwhile.
#[derive(Debug, Default)]
pub struct Meter {
    done: AtomicU64,
    total: AtomicU64,
    /// Parts of unknown size.
    unknown: AtomicU64,
    stopped: StopFlag,
}

/// Whether a [`Meter`] was stopped, for threads that outlive it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Meter {
    /// Returns the bytes so far.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Returns the total number of bytes, if it is known.
    pub fn total(&self) -> Option<u64> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0 && self.unknown.load(Ordering::Relaxed) == 0).then_some(total)
    }

    /// Makes the counted operation fail with a corresponding error as soon as it checks.
    pub fn stop(&self) {
        self.stopped.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_set()
    }

    pub(crate) fn stop_flag(&self) -> StopFlag {
        self.stopped.clone()
    }

    /// Announces a part with this many bytes, or of unknown size.
    pub fn expect(&self, size: Option<u64>) {
        match size {
            Some(size) => self.total.fetch_add(size, Ordering::Relaxed),
            None => self.unknown.fetch_add(1, Ordering::Relaxed),
        };
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The error of a reader whose [`Meter`] was stopped.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cancelled")]
pub(crate) struct MeterStopped;

impl MeterStopped {
    /// Returns whether this is the cause of an error.
    pub(crate) fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<MeterStopped>())
    }
}

/// A reader that counts what is read.
pub(crate) struct Metered<'a, R> {
    pub(crate) source: R,
    pub(crate) meter: &'a Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.is_stopped() {
            return Err(io::Error::other(MeterStopped));
        }
        let n = self.source.read(buffer)?;
        self.meter.add(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_known_only_if_every_part_is() {
        let meter = Meter::default();
        assert_eq!(meter.total(), None);
        meter.expect(Some(3));
        meter.expect(Some(4));
        assert_eq!(meter.total(), Some(7));
        meter.expect(None);
        assert_eq!(meter.total(), None);
    }

    #[test]
    fn nothing_is_read_after_the_stop() {
        let meter = Meter::default();
        let mut source = Metered { source: &b"12345"[..], meter: &meter };
        meter.stop();
        let error = source.read(&mut [0; 2]).err();
        assert!(error.is_some_and(|error| MeterStopped::caused(&error)));
        assert_eq!(meter.done(), 0);
    }

    #[test]
    fn read_bytes_are_counted() {
        let meter = Meter::default();
        let mut source = Metered { source: &b"12345"[..], meter: &meter };
        assert_eq!(io::copy(&mut source, &mut io::sink()).ok(), Some(5));
        assert_eq!(meter.done(), 5);
    }
}
