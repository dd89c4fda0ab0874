//! Output during a build: one reporter for each output format.

pub(crate) mod screen;
pub(crate) mod excerpt;
pub(crate) mod places;
pub(crate) mod diagnostic;
pub(crate) mod annotation;
pub(crate) mod tally;
pub(crate) mod summary;
pub(crate) mod relay;
pub(crate) mod transfer;
pub(crate) mod live;
pub(crate) mod verbs;
pub(crate) mod plain;
pub(crate) mod pulse;
pub(crate) mod json;
pub(crate) mod profile;
pub(crate) mod cases;
pub(crate) mod tests;
pub(crate) mod junit;
pub(crate) mod witness;

#[cfg(test)]
pub(crate) mod recorded;
#[cfg(test)]
mod schema_test;

use std::time::Duration;

use wake_steps::event::Reporter;

use crate::args::MessageFormat;
use crate::clock;
use crate::report::json::Json;
use crate::report::plain::Plain;
use crate::report::pulse::Pulse;
use crate::report::verbs::{Bar, Verbs};
use crate::settings::{Progress, Settings};

/// Makes the reporter that the settings select.
pub(crate) fn reporter(settings: &Settings) -> Box<dyn Reporter> {
    let clock = clock::starting_now();
    let out = std::io::stderr();
    match (settings.format, settings.progress) {
        (MessageFormat::Json, _) => {
            Box::new(Json::new(std::io::stdout(), Box::new(wake_steps::clock::unix_ms)))
        }
        (_, Progress::Plain) => Box::new(Plain::new(out, settings.manner, clock)),
        (_, Progress::None) => Box::new(Verbs::new(out, settings.manner, clock, None)),
        (_, Progress::Bar) => {
            let columns = settings.columns;
            let size = Box::new(move || screen::of_stderr(columns));
            let gauge = settings.gauge.clone();
            let bar = Bar { size, drawn: Duration::ZERO, gauge, fetching_since: None };
            Box::new(Pulse::of(Verbs::new(out, settings.manner, clock, Some(bar))))
        }
    }
}
