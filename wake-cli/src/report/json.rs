//! The JSON reporter: one event per line, as described in `spec/events.md`.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use wake_steps::event::{Event, Reporter, Status};
use wake_steps::run_log::Lines;

use crate::terminal::escape;

/// How long a line may wait in the buffer, so that ten thousand cached steps do not cause as many
/// system calls.
const LATEST: Duration = Duration::from_millis(50);

/// A reporter that writes every event as a line.
pub(crate) struct Json<W> {
    out: W,
    buffer: Vec<u8>,
    flushed: Instant,
    /// Milliseconds since 1970.
    clock: Box<dyn Fn() -> u64>,
    lines: Lines,
    fault: Option<io::Error>,
}

impl<W: Write> Json<W> {
    /// Makes a reporter that writes to `out`.
    pub(crate) fn new(out: W, clock: Box<dyn Fn() -> u64>) -> Self {
        let (buffer, flushed, lines) = (Vec::new(), wake_steps::clock::now(), Lines::default());
        Json { out, buffer, flushed, clock, lines, fault: None }
    }

    fn flush(&mut self) {
        let text = String::from_utf8_lossy(&self.buffer);
        let text = escape::json(&text);
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        match written {
            // A closed pipe does not fail a build; the run's log has everything.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => self.fault = Some(error),
            _ => {}
        }
        self.buffer.clear();
        self.flushed = wake_steps::clock::now();
    }
}

/// Whether the line is not urgent: there is one such line for each step.
fn may_wait(event: &Event) -> bool {
    match event {
        Event::Announced { .. } => true,
        Event::ActionFinished(finished) => finished.status != Status::Failed,
        _ => false,
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &Event) {
        // Writing to memory cannot fail, and an event has no map with keys that are not strings.
        let _ = self.lines.write(event, (self.clock)(), &mut self.buffer);
        if !may_wait(event) || self.flushed.elapsed() >= LATEST {
            self.flush();
        }
    }

    fn tick(&mut self) {
        if !self.buffer.is_empty() {
            self.flush();
        }
    }

    fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }
}
