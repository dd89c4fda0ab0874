//! The progress of fetching packages, for display.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wake_store::ware::Meter;

/// Counts the packages fetched by all sessions that share it; another thread may read it.
#[derive(Debug, Default)]
pub struct FetchGauge {
    /// Packages to fetch, as far as known.
    expected: AtomicUsize,
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// The meter that counts bytes.
    meter: Mutex<Option<Arc<Meter>>>,
    /// The meter's count when fetching began.
    before: AtomicU64,
}

/// Equal if it is the same gauge.
impl PartialEq for FetchGauge {
    fn eq(&self, other: &FetchGauge) -> bool {
        std::ptr::eq(self, other)
    }
}

/// The progress of fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Packages that are here or have failed.
    pub done: usize,
    /// Packages to fetch, as far as known.
    pub of: usize,
    /// Bytes of archives fetched so far.
    pub bytes: u64,
    /// Bytes of all archives, if known.
    pub total: Option<u64>,
}

impl FetchGauge {
    /// Returns the progress; none if nothing is being fetched.
    pub fn now(&self) -> Option<Fetching> {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let (of, begun, done) = (count(&self.expected), count(&self.begun), count(&self.ended));
        if done >= of {
            return None;
        }
        let before = self.before.load(Ordering::Relaxed);
        let meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = meter.as_ref().map_or(0, |meter| meter.done().saturating_sub(before));
        // The size of an archive is known once its download has begun.
        let total =
            meter.as_ref().filter(|_| begun >= of && before == 0).and_then(|meter| meter.total());
        Some(Fetching { done, of, bytes, total })
    }

    /// Counts bytes with `meter` from now on.
    pub(crate) fn count_with(&self, meter: &Arc<Meter>) {
        *self.meter.lock().unwrap_or_else(PoisonError::into_inner) = Some(meter.clone());
    }

    /// Adds packages to fetch.
    pub(crate) fn expect(&self, pkgs: usize) {
        let is_idle = self.now().is_none();
        if is_idle {
            let meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
            let done = meter.as_ref().map_or(0, |meter| meter.done());
            self.before.store(done, Ordering::Relaxed);
        }
        self.expected.fetch_add(pkgs, Ordering::Relaxed);
    }

    /// Fetches one of the expected packages.
    pub(crate) fn watch<T>(&self, fetch: impl FnOnce() -> T) -> T {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let fetched = fetch();
        self.ended.fetch_add(1, Ordering::Relaxed);
        fetched
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn progress_is_reported_only_while_fetching() {
        let gauge = FetchGauge::default();
        assert_eq!(gauge.now(), None);
        let meter = Arc::new(Meter::default());
        gauge.count_with(&meter);
        gauge.expect(2);
        assert_eq!(gauge.now(), Some(Fetching { done: 0, of: 2, bytes: 0, total: None }));
        gauge.watch(|| {
            meter.expect(Some(500));
            assert_eq!(gauge.now().unwrap().total, None);
        });
        gauge.watch(|| {
            meter.expect(Some(700));
            let expected = Fetching { done: 1, of: 2, bytes: 0, total: Some(1200) };
            assert_eq!(gauge.now(), Some(expected));
        });
        assert_eq!(gauge.now(), None);
    }
}
