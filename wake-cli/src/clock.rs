//! What time it is, and how long ago a build began: the one room that asks.
#![expect(clippy::disallowed_methods, reason = "all others ask here")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment to measure from.
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// The time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// How long ago `then` was; no time if it is yet to come.
pub(crate) fn since(then: SystemTime) -> Duration {
    now().duration_since(then).unwrap_or_default()
}

/// Seconds since 1970.
pub(crate) fn unix_s() -> u64 {
    unix_ms() / 1000
}

/// Milliseconds since the beginning of 1970.
pub(crate) fn unix_ms() -> u64 {
    since(UNIX_EPOCH).as_millis() as u64
}

/// Answers how long ago the build began.
pub(crate) type Clock = Box<dyn Fn() -> Duration>;

/// A clock that starts now.
pub(crate) fn starting_now() -> Clock {
    let start = instant();
    Box::new(move || start.elapsed())
}

/// A clock that stands still at a moment, for what is over.
pub(crate) fn fixed(at: Duration) -> Clock {
    Box::new(move || at)
}
