//! The clock: the only module that reads the time.
#![expect(clippy::disallowed_methods, reason = "all others ask here")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns a moment to measure from.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// Returns the time since 1970.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
