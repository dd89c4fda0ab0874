//! The time since a build began.

use std::time::{Duration, Instant};

/// Answers how long ago the build began.
pub(crate) type Clock = Box<dyn Fn() -> Duration>;

/// A clock that starts now.
pub(crate) fn starting_now() -> Clock {
    let start = Instant::now();
    Box::new(move || start.elapsed())
}

/// A clock for what is over.
pub(crate) fn standing_still() -> Clock {
    Box::new(|| Duration::ZERO)
}

/// A clock that stands still at a moment.
#[cfg(test)]
pub(crate) fn fixed(at: Duration) -> Clock {
    Box::new(move || at)
}
