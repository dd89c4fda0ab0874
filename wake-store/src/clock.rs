//! What time it is: the one room that asks.
#![expect(clippy::disallowed_methods, reason = "all others ask here")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The same as the time since 1970; none on a machine whose clock is before that.
pub(crate) fn since_1970() -> Duration {
    now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
