//! The time of day, and the time since a build began. Instants come from `wake_steps::clock`.
#![expect(clippy::disallowed_methods, reason = "all others ask here for the time of day")]

use std::time::{Duration, SystemTime};

/// Returns the time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns the time since `then`; zero if it is in the future.
pub(crate) fn since(then: SystemTime) -> Duration {
    now().duration_since(then).unwrap_or_default()
}

/// Returns the time since the build began.
pub(crate) type Clock = Box<dyn Fn() -> Duration + Send>;

/// Returns a clock that starts now.
pub(crate) fn starting_now() -> Clock {
    let start = wake_steps::clock::now();
    Box::new(move || start.elapsed())
}

/// Returns a clock stopped at `at`, for finished builds.
pub(crate) fn fixed(at: Duration) -> Clock {
    Box::new(move || at)
}
