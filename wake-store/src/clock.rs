//! The clock: the only module that reads the time.
#![expect(clippy::disallowed_methods, reason = "all others ask here")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the time since 1970; zero on a machine whose clock is before that.
pub(crate) fn since_1970() -> Duration {
    now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
