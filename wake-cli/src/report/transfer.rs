//! The progress line of a transfer.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use wake_build::{FetchGauge, Fetching};
use wake_store::ware::Meter;

use crate::report::screen::{self, Screen, beside_verb};
use crate::settings::{Progress, Settings};
use crate::terminal::style::{Role, Style};
use crate::terminal::words;

/// Shorter transfers are not shown.
const WORTH_A_LINE: Duration = Duration::from_millis(500);
/// The redraw interval.
const FRAME: Duration = Duration::from_millis(100);

/// A line at the bottom of the terminal, shown until this is dropped; nothing without a terminal.
pub(crate) struct Transfer {
    /// It draws until the channel is closed.
    drawer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Transfer {
    /// Starts to show the progress counted by `meter`.
    pub(crate) fn show(settings: &Settings, verb: &'static str, meter: &Arc<Meter>) -> Transfer {
        if settings.progress != Progress::Bar {
            return Transfer { drawer: None };
        }
        let (meter, style) = (Arc::clone(meter), settings.manner.style);
        Transfer::drawing(settings, move |elapsed, columns| {
            let text = line(meter.done(), meter.total(), elapsed, columns);
            Some(style.verb(Role::Guide, verb, text))
        })
    }

    /// Starts to show the progress of fetching packages, whenever packages are fetched.
    pub(crate) fn of_packages(settings: &Settings) -> Transfer {
        if settings.progress != Progress::Bar {
            return Transfer { drawer: None };
        }
        let (gauge, style): (Arc<FetchGauge>, Style) =
            (settings.gauge.clone(), settings.manner.style);
        let mut began = None;
        Transfer::drawing(settings, move |elapsed, columns| {
            let fetching = gauge.now();
            began = fetching.map(|_| began.unwrap_or(elapsed));
            let since = elapsed.saturating_sub(began?);
            Some(fetching_line(fetching?, since, columns, style))
        })
    }

    fn drawing(
        settings: &Settings,
        line: impl FnMut(Duration, usize) -> Option<String> + Send + 'static,
    ) -> Transfer {
        let room = settings.columns;
        let (stop, stopped) = mpsc::channel();
        let draw = move || draw(&stopped, line, room);
        // Without a thread, only the line is missing.
        let drawer = std::thread::Builder::new().spawn(draw).ok();
        Transfer { drawer: drawer.map(|drawer| (stop, drawer)) }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some((stop, drawer)) = self.drawer.take() {
            drop(stop);
            // The thread erases its line before it ends.
            let _ = drawer.join();
        }
    }
}

fn draw(
    stopped: &Receiver<()>,
    mut line: impl FnMut(Duration, usize) -> Option<String>,
    room: Option<usize>,
) {
    let began = wake_steps::clock::now();
    let mut screen = Screen::new(std::io::stderr());
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(FRAME) {
        let elapsed = began.elapsed();
        if elapsed >= WORTH_A_LINE {
            let size = screen::of_stderr(room);
            screen.live(line(elapsed, size.columns).into_iter().collect());
        }
    }
    screen.live(Vec::new());
}

/// Formats `[=====>....] 48.1 MB of 120.0 MB  12.3 MB/s`, as far as known and as fits.
fn line(done: u64, total: Option<u64>, elapsed: Duration, room: usize) -> String {
    let rate = (done as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    let of = total.map_or_else(String::new, |total| format!(" of {}", words::bytes(total)));
    let facts = format!("{}{of}  {}/s", words::bytes(done), words::bytes(rate));
    beside_verb(&facts, room, |room| Some(bar(done, total?, room)))
}

/// Formats `    Fetching [====>.....] 3/12 packages  1.2 MB  1.5 MB/s`; the bar shows bytes once all sizes are known.
pub(crate) fn fetching_line(
    fetching: Fetching,
    elapsed: Duration,
    columns: usize,
    style: Style,
) -> String {
    let Fetching { done, of, bytes, total } = fetching;
    let rate = (bytes as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    let of_bytes = total.map_or_else(String::new, |total| format!(" of {}", words::bytes(total)));
    let pkgs = words::count(of, "package");
    let facts =
        format!("{done}/{pkgs}  {}{of_bytes}  {}/s", words::bytes(bytes), words::bytes(rate));
    let (part, whole) = match total {
        Some(total) => (bytes, total),
        None => (done as u64, of as u64),
    };
    style.verb(
        Role::Guide,
        "Fetching",
        beside_verb(&facts, columns, |room| Some(bar(part, whole, room))),
    )
}

fn bar(done: u64, total: u64, room: usize) -> String {
    let part = done.min(total) as f64 / total.max(1) as f64;
    let full = ((part * room as f64) as usize).min(room);
    let head = if full < room { ">" } else { "" };
    format!("{}{head}{}", "=".repeat(full), ".".repeat(room - full - head.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_shows_what_is_known() {
        let second = Duration::from_secs(2);
        assert_eq!(
            line(3_000_000, Some(12_000_000), second, 60),
            "[====>...........] 3.0 MB of 12.0 MB  1.5 MB/s"
        );
        assert_eq!(line(3_000_000, None, second, 60), "3.0 MB  1.5 MB/s");
        assert_eq!(line(3_000_000, Some(12_000_000), second, 45), "3.0 MB of 12.0 MB  1.5 MB/s");
    }

    #[test]
    fn fetching_is_shown_by_packages_then_by_bytes() {
        let style = Style { color: false, unicode: true };
        let shown = |done, of, bytes, total| {
            let fetching = Fetching { done, of, bytes, total };
            fetching_line(fetching, Duration::from_secs(2), 80, style)
        };
        assert_eq!(
            shown(3, 12, 3_000_000, None),
            "    Fetching [=======>......................] 3/12 packages  3.0 MB  1.5 MB/s"
        );
        assert_eq!(
            shown(0, 1, 3_000_000, Some(12_000_000)),
            "    Fetching [=====>.................] 0/1 package  3.0 MB of 12.0 MB  1.5 MB/s"
        );
    }

    #[test]
    fn the_bar_is_full_at_the_end_and_not_before() {
        assert_eq!(bar(0, 10, 10), ">.........");
        assert_eq!(bar(9, 10, 10), "=========>");
        assert_eq!(bar(10, 10, 10), "==========");
        assert_eq!(bar(11, 10, 10), "==========");
        assert_eq!(bar(0, 0, 10), ">.........");
    }
}
