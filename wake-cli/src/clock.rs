//! The time of day, and how long ago a build began; moments come from `wake_steps::clock`.
#![expect(clippy::disallowed_methods, reason = "all others ask here for the time of day")]

use std::time::{Duration, SystemTime};

/// The time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// How long ago `then` was; no time if it is yet to come.
pub(crate) fn since(then: SystemTime) -> Duration {
    now().duration_since(then).unwrap_or_default()
}

/// Answers how long ago the build began.
pub(crate) type Clock = Box<dyn Fn() -> Duration + Send>;

/// A clock that starts now.
pub(crate) fn starting_now() -> Clock {
    let start = wake_steps::clock::now();
    Box::new(move || start.elapsed())
}

/// A clock that stands still at a moment, for what is over.
pub(crate) fn fixed(at: Duration) -> Clock {
    Box::new(move || at)
}
