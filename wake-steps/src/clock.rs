//! The clocks: when something happened, and how long ago.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "this is the room of the clocks")]
pub fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the beginning of 1970.
#[expect(clippy::disallowed_methods, reason = "this is the room of the clocks")]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds from `started` until `moment`; 0 if that came first.
pub fn ms_between(started: Instant, moment: Instant) -> u64 {
    let since = moment.saturating_duration_since(started);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds since `started`.
pub fn ms_since(started: Instant) -> u64 {
    ms_between(started, now())
}

/// The microseconds of a duration.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
