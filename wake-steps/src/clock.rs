//! The clocks: when something happened, and how long it took.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns the current instant, for measuring durations.
#[expect(clippy::disallowed_methods, reason = "this is the room of the clocks")]
pub fn now() -> Instant {
    Instant::now()
}

/// Returns the milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the room of the clocks")]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the milliseconds from `started` until `moment`; 0 if `moment` is earlier.
pub fn ms_between(started: Instant, moment: Instant) -> u64 {
    let since = moment.saturating_duration_since(started);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the milliseconds since `started`.
pub fn ms_since(started: Instant) -> u64 {
    ms_between(started, now())
}

/// Returns a duration in microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
