//! The line that shows how far a large ware has come.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wake_store::ware::Meter;

use crate::clock;
use crate::report::screen::{self, Screen, fit};
use crate::settings::{Progress, Settings};
use crate::terminal::style::{Role, Style, VERB_COLUMNS};
use crate::terminal::width::columns;
use crate::terminal::words;

/// What takes no longer than this is not shown.
const WORTH_A_LINE: Duration = Duration::from_millis(500);
/// How often the line is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// A line at the bottom of the terminal, for as long as this lives; none where there is no terminal.
pub(crate) struct Transfer {
    stop: Arc<(Mutex<bool>, Condvar)>,
    drawer: Option<JoinHandle<()>>,
}

impl Transfer {
    /// Begins to show what `meter` counts.
    pub(crate) fn show(settings: &Settings, verb: &'static str, meter: &Arc<Meter>) -> Transfer {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let mut transfer = Transfer { stop: Arc::clone(&stop), drawer: None };
        if settings.progress == Progress::Bar {
            let meter = Arc::clone(meter);
            let (style, room) = (settings.manner.style, settings.columns);
            let draw = move || draw(&stop, &meter, verb, style, room);
            // Without a thread there is no line, and nothing else is different.
            transfer.drawer = std::thread::Builder::new().spawn(draw).ok();
        }
        transfer
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(drawer) = self.drawer.take() {
            // It takes its line away before it ends.
            let _ = drawer.join();
        }
    }
}

fn draw(
    stop: &(Mutex<bool>, Condvar),
    meter: &Meter,
    verb: &str,
    style: Style,
    room: Option<usize>,
) {
    let began = clock::instant();
    let mut screen = Screen::new(std::io::stderr());
    let mut stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        let waited = stop.1.wait_timeout(stopped, FRAME);
        stopped = waited.unwrap_or_else(PoisonError::into_inner).0;
        let elapsed = began.elapsed();
        if !*stopped && elapsed >= WORTH_A_LINE {
            let size = screen::of_stderr(room);
            let text = line(meter.done(), meter.total(), elapsed, size.columns);
            screen.live(vec![style.verb(Role::Guide, verb, text)]);
        }
    }
    screen.live(Vec::new());
}

/// `[=====>....] 48.1 MB of 120.0 MB  12.3 MB/s`, as much of it as there is room for and as is known.
fn line(done: u64, total: Option<u64>, elapsed: Duration, room: usize) -> String {
    let rate = (done as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    let of = total.map_or_else(String::new, |total| format!(" of {}", words::bytes(total)));
    let facts = format!("{}{of}  {}/s", words::bytes(done), words::bytes(rate));
    // The verb, a blank, two brackets, a blank, and the last column of the terminal.
    let left = room.saturating_sub(VERB_COLUMNS + columns(&facts) + 5);
    let rest = match total {
        Some(total) if left >= 10 => format!("[{}] {facts}", bar(done, total, left.min(30))),
        _ => facts,
    };
    fit(&rest, room.saturating_sub(VERB_COLUMNS + 1))
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
    fn the_line_says_what_is_known() {
        let second = Duration::from_secs(2);
        assert_eq!(
            line(3_000_000, Some(12_000_000), second, 60),
            "[====>...........] 3.0 MB of 12.0 MB  1.5 MB/s"
        );
        assert_eq!(line(3_000_000, None, second, 60), "3.0 MB  1.5 MB/s");
        assert_eq!(line(3_000_000, Some(12_000_000), second, 45), "3.0 MB of 12.0 MB  1.5 MB/s");
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
